"""A folder that remembers what its results were made with."""

import pytest

from ultrasam.data.settings import forget_other_settings
from ultrasam.errors import DataError


def test_other_settings_start_anew(tmp_path):
    folder = tmp_path / "out"

    def start(**settings):
        forget_other_settings(folder, settings, ["scores.json", "*.jsonl", "shown_*"])
        return sorted(path.name for path in folder.iterdir())

    assert start(seed=1) == ["settings.json"]
    for name in ("scores.json", "a.jsonl", "b.jsonl", "kept.txt"):
        (folder / name).write_text("")
    (folder / "shown_box").mkdir()
    (folder / "shown_box/1.png").write_text("")
    everything = ["a.jsonl", "b.jsonl", "kept.txt", "scores.json", "settings.json", "shown_box"]
    assert start(seed=1) == everything
    assert start(seed=2) == ["kept.txt", "settings.json"]


def test_files_that_no_run_left_are_kept(tmp_path):
    (tmp_path / "scores.json").write_text("mine")
    with pytest.raises(DataError, match=r"holds scores\.json, which no run left"):
        forget_other_settings(tmp_path, {}, ["scores.json"])
    assert (tmp_path / "scores.json").read_text() == "mine" and not (tmp_path / "settings.json").exists()


def test_what_a_run_reads_is_kept(tmp_path):
    forget_other_settings(tmp_path, {"seed": 1}, ["*.pth"])
    (tmp_path / "model.pth").write_text("mine")
    roundabout = tmp_path / ".." / tmp_path.name / "model.pth"
    with pytest.raises(DataError, match=r"model\.pth is what this run starts from"):
        forget_other_settings(tmp_path, {"seed": 2}, ["*.pth"], [roundabout])
    assert (tmp_path / "model.pth").read_text() == "mine"
    forget_other_settings(tmp_path, {"seed": 1}, ["*.pth"], [tmp_path / "model.pth"])
