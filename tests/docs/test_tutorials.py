"""The tutorials, cell by cell, and what they keep of their last run."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from ultrasam.cli.main import main

TUTORIALS = Path(__file__).parents[2] / "docs/tutorials"
NAMES = sorted(path.stem for path in TUTORIALS.glob("*.ipynb"))
#: What shortens a command of a tutorial.
SHORT = {"--steps": "1", "--num": "20"}


def _cells(name):
    cells = json.loads((TUTORIALS / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]
    return [cell for cell in cells if cell["cell_type"] == "code"]


def _run_command(line):
    words = [word for word in shlex.split(line) if word not in (">", "2>", "2>&1", "/dev/null")]
    for option, value in SHORT.items():
        if option in words:
            words[words.index(option) + 1] = value
    assert words.pop(0) == "ultrasam"
    assert main(words) == 0, line


def _run(source, names):
    code = []
    for line in source.replace("\\\n", " ").splitlines():
        if line.startswith("!"):
            _run_command(line[1:])
        else:
            code.append(line)
    exec(compile("\n".join(code), "cell", "exec"), names)


@pytest.mark.parametrize("name", NAMES)
def test_every_cell_runs(name, tmp_path, monkeypatch, capsys):
    """Kernels are left out: cells hold plain Python and commands of ours."""
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "__main__"}
    for cell in _cells(name):
        _run("".join(cell["source"]), names)
    if name == "first_mask":
        both = names["found"].masks[0] & names["truth"]
        assert 2 * both.sum() / (names["found"].masks[0].sum() + names["truth"].sum()) > 0.9
    if name == "backbone":
        assert names["right"] > 0.7


@pytest.mark.parametrize("name", NAMES)
def test_they_are_shown_as_they_ran(name):
    """Each cell was run, in order, without an error, and says nothing of the machine."""
    cells = _cells(name)
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    kept = json.dumps([cell["outputs"] for cell in cells])
    assert "error" not in {out["output_type"] for cell in cells for out in cell["outputs"]}
    assert "/home/" not in kept
    assert str(Path(__file__).parents[2]) not in kept
    assert len(kept) < 400_000
