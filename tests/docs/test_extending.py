"""The guide's code, as it stands, from its first block to its last."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs/extending.md"


def test_the_worked_examples_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    names: dict = {"__name__": "extending"}
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), names)
    printed = capsys.readouterr().out
    assert len(blocks) == 7
    assert "liver_demo: 3 images with 3 objects in 3 cases" in printed
    # Four clicks on its border are prompts enough for a bright square.
    assert float(re.search(r"Dice ([\d.]+)", printed)[1]) > 0.5
    assert (tmp_path / "data/liver_demo/annotations/all.json").is_file()
