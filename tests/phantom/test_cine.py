"""Cines: the same for the same seed, masks that are where the picture shows them, motion of each kind."""

import json

import numpy as np
import pytest
from pycocotools.coco import COCO

from ultrasam.cli.main import main
from ultrasam.data import coco
from ultrasam.data.images import read_image
from ultrasam.evaluate.metrics import iou
from ultrasam.phantom.cine import RATE, Cine
from ultrasam.phantom.movement import MOTIONS, Absence, Beat, Slide

FRAMES = 24


@pytest.fixture(scope="module")
def cines():
    return {motion: list(Cine(7, 0, frames=FRAMES, size=96, motion=motion)) for motion in MOTIONS}


def test_any_frame_follows_from_the_seed_alone(cines):
    cine = Cine(7, 0, frames=FRAMES, size=96, motion="probe")
    for number in (9, 2):
        again = cine[number]
        assert (again.image == cines["probe"][number].image).all()
        assert all((a == b).all() for a, b in zip(again.masks, cines["probe"][number].masks, strict=True))
    assert not (Cine(8, 0, frames=2, size=96, motion="probe")[0].image == cines["probe"][0].image).all()
    assert [Cine(1, index, frames=2, size=32).motion for index in range(4)] == list(MOTIONS)
    with pytest.raises(IndexError):
        cine[FRAMES]
    with pytest.raises(ValueError, match="unknown motion"):
        Cine(1, 0, motion="falling")


def test_each_kind_of_motion_moves(cines):
    areas = {motion: np.array([f.masks[0].sum() for f in frames]) for motion, frames in cines.items()}
    assert areas["beating"].min() < 0.85 * areas["beating"].max()
    assert areas["breathing"].min() > 0.85 * areas["breathing"].max()
    for motion in ("breathing", "probe"):
        assert min(iou(cines[motion][0].masks[0], frame.masks[0]) for frame in cines[motion]) < 0.75


def test_some_object_leaves_and_returns():
    for index in range(6):
        cine = Cine(3, index, frames=16, size=48, motion="leaving")
        seen = np.array([[mask.any() for mask in frame.masks] for frame in cine])
        assert seen[0].all() and seen[-1].all()
        assert not seen.all(axis=0).all(), index


def test_speckle_goes_with_the_tissue_and_not_with_the_screen():
    """Two frames of a sliding probe agree better where the tissue is than where the pixels are."""
    cine = Cine(5, 2, frames=6, size=128, motion="probe")
    movement, (first, later) = cine._movement, (cine[0].image, cine[4].image)
    shift = 128 * np.array([movement.right.at(4 / RATE), movement.down.at(4 / RATE)])
    part = np.mgrid[44:84, 44:84]
    moved = np.rint(part + shift[::-1, None, None]).astype(int)
    here = first[part[0], part[1]].astype(float)
    there = first[moved[0], moved[1]].astype(float)
    now = later[part[0], part[1]].astype(float)
    stays, goes = (np.corrcoef(now.ravel(), other.ravel())[0, 1] for other in (here, there))
    assert np.abs(shift).max() > 1.5 and goes > stays + 0.1


def test_movements_by_hand():
    absence = Absence(0, start=1.0, gone=2.0, away=1.0)
    # At its way's middle an ellipsoid is cut at half its half axis: sqrt(1 - 1/4).
    assert [absence.size(t) for t in (0, 1, 3, 3.5, 4, 6)] == [1, 1, 0, 0, 0, 1]
    assert absence.size(2.0) == pytest.approx(np.sqrt(0.75))
    slide = Slide(0.4, start=1.0, gone=2.0, away=1.0)
    assert [round(slide.at(t), 9) for t in (0, 1, 2, 3, 3.9, 5, 6)] == [0, 0, 0.2, 0.4, 0.4, 0.2, 0]
    beat = Beat(0.5, 0.5, reach=1e3, across=0.2, along=0.5, rate=1.0, phase=0.0)
    assert beat.contraction(0.0) == 0 and beat.contraction(0.35) == pytest.approx(1)
    x, y = beat.seen(np.float32([[0.6]]), np.float32([[0.6]]), 0.35)
    # Contracted to 0.8 of its width, what was 0.125 off the center is seen 0.1 off it.
    assert float(x[0, 0]) == pytest.approx(0.625, abs=1e-5)
    assert float(y[0, 0]) == pytest.approx(0.7, abs=1e-5)


def test_the_command_writes_coco_with_the_fields_of_videos(tmp_path):
    args = ["data", "phantom", "--cine", "--out", str(tmp_path), "--num", "4", "--frames", "5"]
    assert main([*args, "--size", "48", "--workers", "1", "--seed", "3"]) == 0
    path = tmp_path / "phantom_cine/annotations/all.json"
    assert main(["data", "check", str(path)]) == 0
    content, read = json.loads(path.read_text()), COCO(str(path))
    assert [video["length"] for video in content["videos"]] == [5] * 4
    assert [video["motion"] for video in content["videos"]] == list(MOTIONS)
    assert [(i["video_id"], i["frame_id"]) for i in content["images"][3:7]] == [
        (1, 3),
        (1, 4),
        (2, 0),
        (2, 1),
    ]
    owners = {}
    for entry in content["annotations"]:
        owners.setdefault(entry["instance_id"], set()).add(entry["video_id"])
        assert read.imgs[entry["image_id"]]["video_id"] == entry["video_id"]
    assert all(len(videos) == 1 for videos in owners.values())
    cine = Cine(3, 1, frames=5, size=48)
    image = content["images"][7]
    assert (read_image(tmp_path / "phantom_cine/images" / image["file_name"])[..., 0] == cine[2].image).all()
    masks = [read.annToMask(entry).astype(bool) for entry in read.imgToAnns[image["id"]]]
    assert all((a == b).all() for a, b in zip(masks, cine[2].masks, strict=True))
    assert coco.encode(cine[2].masks[0]) == read.imgToAnns[image["id"]][0]["segmentation"]
