"""The demo from start to end at a size that says nothing about quality, and its parts."""

import json

import pytest

from ultrasam.data import coco
from ultrasam.errors import UltraSamError

pytest.importorskip("mmdet", reason="the extra 'mm' (OpenMMLab) is not installed")
from tests.kit.miniature import make_data
from ultrasam.data.phantoms import write_phantoms
from ultrasam.demo.demo import Settings, run_demo
from ultrasam.evaluate.prompting import score_baselines


@pytest.mark.slow
def test_from_start_to_end(tmp_path, capfd, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    settings = Settings(num=40, iterations=10, batch_size=2)
    page = run_demo(settings, tmp_path)
    text = page.read_text()
    for words in (
        "ellipse in the box",
        "training loss, last",
        "validation mAP",
        "data:image/jpeg;base64",
    ):
        assert words in text
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert 0.3 < scores["baseline"]["box"]["segm_mAP"] < 0.9
    assert scores["model"]["box"]["num_objects"] == scores["baseline"]["point"]["num_objects"] > 0
    assert len(list((tmp_path / "test_box" / "shown").glob("*.png"))) == 6
    # A second call repeats nothing, and other settings do not take the old result for theirs.
    capfd.readouterr()
    before = page.stat().st_mtime_ns
    run_demo(settings, tmp_path)
    assert page.stat().st_mtime_ns == before and "training" not in capfd.readouterr().out


def test_phantoms_are_a_valid_data_set(tmp_path):
    report = write_phantoms(tmp_path, 20, size=64)
    assert report.ok and report.images == 20
    folder = tmp_path / "phantom"
    sides = [coco.read(folder / f"annotations/{s}.agnostic.json").content for s in ("train", "val", "test")]
    assert [len(side["images"]) for side in sides] == [16, 1, 3]
    assert all(len(side["categories"]) == 1 for side in sides)
    again = write_phantoms(tmp_path / "again", 20, size=64)
    assert again.images == 20
    for name in ("train", "val", "test"):
        first, second = (
            p / f"annotations/{name}.agnostic.json" for p in (folder, tmp_path / "again" / "phantom")
        )
        assert first.read_bytes() == second.read_bytes()


def test_a_perfect_ellipse_scores_as_an_ellipse(tmp_path):
    folder = make_data(tmp_path)
    scores = score_baselines(folder / "annotations/test.agnostic.json", folder / "images")
    assert 0.5 < scores["box"]["mIoU"] < 1 and 0 < scores["point"]["mIoU"] < scores["box"]["mIoU"]


def test_own_data_needs_its_images(tmp_path):
    with pytest.raises(UltraSamError, match="--coco needs --images"):
        run_demo(Settings(coco="own.json"), tmp_path / "x")
