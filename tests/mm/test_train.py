"""Training and testing as functions: what they refuse before any work, and what they return."""

import json
from pathlib import Path

import pytest
import torch
import ultrasam.configs

from tests.kit.miniature import changes, make_data, options
from ultrasam.checkpoints.download import WEIGHTS
from ultrasam.errors import ConfigError, DataError
from ultrasam.mm.engine.configuration import load_config, started
from ultrasam.mm.engine.history import read_history
from ultrasam.mm.engine.test import test as run_test
from ultrasam.mm.engine.train import train

ROOT = Path(ultrasam.configs.__path__[0])
LEAVES = [path.relative_to(ROOT).with_suffix("").as_posix() for path in sorted(ROOT.glob("[!_]*/**/*.py"))]
LARGE, SMALL = "ultrasam/ultrasam_vit-b_us43d", "ultrasam/ultrasam_vit-t_phantom"


@pytest.mark.parametrize("name", LEAVES)
def test_a_configuration_says_where_it_starts(name):
    """The large ones fine-tune and say what; the small ones, made for a processor, start from nothing."""
    config = load_config(name)
    part = started(config)
    given = part.weights.get("path") or config.get("load_from")
    small = "vit_t" in (part.get("variant"), part.get("network", {}).get("variant"))
    assert (config.get("starts_from") is None) == small
    assert small or given or config.starts_from in WEIGHTS


def test_fine_tuning_needs_something_to_start_from(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = r"us43d fine-tunes .* --from sam_vit_b_01ec64\.pth, .*weights fetch sam_vit_b'.*--from-scratch"
    with pytest.raises(ConfigError, match=words):
        train(LARGE)
    with pytest.raises(ConfigError, match=r"--from UltraSam\.pth, .*'ultrasam weights fetch ultrasam'"):
        train("downstream/classification/classifier_vit-b_ahu")
    with pytest.raises(ConfigError, match="exclude each other"):
        train(LARGE, start="sam.pth", from_scratch=True)
    # With weights, or none on purpose, the next thing is missing.
    words = r"data/us43d/train\.json,.* data/us43d/val\.json.*ultrasam convert.*data merge.*data phantom"
    for given in (
        {"start": "sam.pth"},
        {"from_scratch": True},
        {"cfg_options": {"model.weights.path": "sam.pth"}},
    ):
        with pytest.raises(DataError, match=words):
            train(LARGE, **given)
    with pytest.raises(DataError, match=r"They are made by: ultrasam data phantom --out data\.$"):
        train(SMALL)


def test_other_refusals(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match="float16 needs a GPU"):
        train(SMALL, amp=True, amp_dtype="float16")
    with pytest.raises(ConfigError, match="says no auto_scale_lr"):
        train(SMALL, auto_scale_lr=True)
    with pytest.raises(ConfigError, match="no checkpoint to resume from at nothing.pth"):
        train(SMALL, resume="nothing.pth")
    with pytest.raises(ConfigError, match="no checkpoint at nothing.pth"):
        run_test(SMALL, "nothing.pth")


def test_train_and_test_return_their_results(tmp_path, capfd):
    data = make_data(tmp_path / "data")
    given = changes(*options(data, 2, 4)[1:])
    last = train(SMALL, work_dir=tmp_path / "run", cfg_options=given)
    assert last == tmp_path / "run/iter_2.pth" and last.is_file()
    assert "starts from random weights" in capfd.readouterr().out
    history = read_history(last.parent)
    assert [row["step"] for row in history.train] == [1, 2] and all(row["loss"] > 0 for row in history.train)
    assert [row["step"] for row in history.val] == [2] and 0 <= history.val[0]["coco/segm_mAP"] <= 1

    given["test_dataloader.dataset.prompts.point_probability"] = 0.0
    scores = run_test(SMALL, last, work_dir=tmp_path / "test", show_dir="shown", cfg_options=given)
    (written,) = (tmp_path / "test").glob("*/*.json")
    logged = json.loads(written.read_text())
    assert scores == {name: logged[name] for name in scores} and scores["coco/num_objects"] == 6
    assert len(list((tmp_path / "test/shown").glob("*.png"))) == 6


def test_a_resumed_run_has_one_history(tmp_path):
    """A step that was done again counts as it was done last; steps are in order of their number."""
    score = {"coco/segm_mAP": 0.5, "step": 10}
    for name, rows in (
        ("20250102_1", [{"loss": 1.0, "step": 9}, score, {"loss": 2.0, "step": 10}]),
        ("20250102_2", [{"loss": 3.0, "step": 10}, {"loss": 4.0, "step": 11}]),
    ):
        folder = tmp_path / name / "vis_data"
        folder.mkdir(parents=True)
        (folder / "scalars.json").write_text("".join(json.dumps(row) + "\n" for row in rows))
    history = read_history(tmp_path)
    assert [(row["step"], row["loss"]) for row in history.train] == [(9, 1.0), (10, 3.0), (11, 4.0)]
    assert history.val == [score]
    assert read_history(tmp_path / "nothing") == ([], [])
