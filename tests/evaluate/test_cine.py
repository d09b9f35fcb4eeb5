"""Following scored: DAVIS's measures against definitions of their own, clips from COCO, the report."""

import json
import math

import numpy as np
import pytest
from scipy import ndimage

from tests.kit.pictures import noise
from ultrasam.cli.main import main
from ultrasam.data import coco, images
from ultrasam.errors import DataError
from ultrasam.evaluate.cine.clip_scores import score
from ultrasam.evaluate.cine.clips import read_clips
from ultrasam.evaluate.cine.davis import boundary_f, outline


def disc(x, y, radius, size=(90, 120)):
    rows, columns = np.mgrid[: size[0], : size[1]]
    return (columns - x) ** 2 + (rows - y) ** 2 < radius**2


def by_dilation(prediction, target):
    """F in the benchmark's own way, with SciPy: outlines between pixels, dilated by a disc, counted."""
    radius = math.ceil(0.008 * math.sqrt(prediction.shape[0] ** 2 + prediction.shape[1] ** 2))
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    around = x**2 + y**2 <= radius**2
    lines = []
    for mask in (prediction, target):
        line = np.zeros_like(mask)
        height, width = mask.shape
        for row in range(height):
            for column in range(width):
                below, right = min(row + 1, height - 1), min(column + 1, width - 1)
                near = {bool(mask[row, right]), bool(mask[below, column]), bool(mask[below, right])}
                line[row, column] = (not mask[row, column]) in near
        lines.append(line)
    ours, theirs = lines
    if not ours.any() or not theirs.any():
        return float(ours.any() == theirs.any())
    precision = (ours & ndimage.binary_dilation(theirs, around)).sum() / ours.sum()
    recall = (theirs & ndimage.binary_dilation(ours, around)).sum() / theirs.sum()
    return 0.0 if precision + recall == 0 else 2 * precision * recall / (precision + recall)


@pytest.mark.parametrize(
    ("prediction", "target"),
    [
        (disc(60, 45, 20), disc(62, 46, 20)),
        (disc(60, 45, 20), disc(60, 45, 23)),
        (disc(5, 5, 20), disc(8, 2, 22)),
        (disc(60, 45, 20) | disc(20, 20, 6), disc(58, 44, 18)),
        (disc(115, 85, 30), disc(20, 20, 10)),
        (disc(60, 45, 20), np.zeros((90, 120), bool)),
        (np.zeros((90, 120), bool), np.zeros((90, 120), bool)),
        (np.ones((90, 120), bool), disc(60, 45, 20)),
    ],
)
def test_f_is_the_benchmarks(prediction, target):
    assert boundary_f(prediction, target) == pytest.approx(by_dilation(prediction, target), abs=1e-9)
    assert boundary_f(target, prediction) == pytest.approx(boundary_f(prediction, target), abs=1e-12)


def test_f_of_squares_by_hand():
    """In 300 x 400 pixels (diagonal 500) an outline may be 4 pixels off."""
    square, moved, far = (np.zeros((300, 400), bool) for _ in range(3))
    square[100:200, 100:200] = moved[100:200, 104:204] = far[100:200, 105:205] = True
    # A ring of 101 pixels a side without two corners' difference: 4 x 100.
    assert outline(square).sum() == 400
    assert boundary_f(square, moved) == 1.0
    # Upright sides are 5 off but for their ends, which lie within 4 of the other's horizontal sides.
    assert 0.5 < boundary_f(square, far) < 0.6


def test_scores_of_a_hand_made_object():
    whole, half = np.zeros((40, 40), bool), np.zeros((40, 40), bool)
    whole[10:30, 10:30] = half[10:30, 10:20] = True
    gone = np.zeros_like(whole)
    targets = [whole, whole, whole, gone, gone, whole]
    found = [whole, whole, half, half, gone, half]
    scores = score(found, targets)
    assert scores.j == [1.0, 0.5, 0.0, 1.0, 0.5] and scores.f[0] == scores.f[3] == 1.0
    assert scores.f[2] == 0.0
    assert scores.seen == [True, True, False, False, True] and scores.found == [True, True, True, False, True]
    assert scores.area[:2] == [1.0, 0.5] and math.isnan(scores.area[3])
    assert scores.absences == [False, True] and scores.after_return == [0.5]
    # From frame to frame the found masks overlap by 0.5, 1, 0, 0, the true ones by 1, 0, 1, 0.
    assert scores.steady == [0.5, 0.0, 0.0, 1.0]
    assert scores.until_loss == 5
    assert score([whole, half, gone], [whole, whole, whole]).until_loss == 1


def write_clips(folder, changes=None):
    """Two clips of four frames: a disc that moves, and one that is away in the third frame."""
    content = {"videos": [], "images": [], "annotations": [], "categories": [{"id": 1, "name": "disc"}]}
    for video, name in enumerate(("moves", "leaves"), start=1):
        content["videos"].append({"id": video, "name": name, "split": "test" if video == 1 else "val"})
        for frame in range(4):
            number = len(content["images"]) + 1
            file = f"{name}/{frame}.png"
            mask = disc(40 + 2 * frame, 40, 15, (80, 100))
            picture = np.where(mask[..., None], 40, 90 + noise(80, 100, seed=3) // 4).astype(np.uint8)
            (folder / "images" / name).mkdir(parents=True, exist_ok=True)
            (folder / "images" / file).write_bytes(images.encode_image(picture))
            image = {"id": number, "file_name": file, "height": 80, "width": 100}
            content["images"].append({**image, "video_id": video, "frame_id": frame})
            if (video, frame) != (2, 2):
                y, x = np.nonzero(mask)
                box = [int(x.min()), int(y.min()), int(np.ptp(x)) + 1, int(np.ptp(y)) + 1]
                entry = {"id": number, "image_id": number, "category_id": 1, "instance_id": video}
                entry |= {"segmentation": coco.encode(mask), "bbox": box, "area": int(mask.sum())}
                content["annotations"].append({**entry, "iscrowd": 0})
    if changes:
        changes(content)
    path = folder / "annotations" / "all.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def test_clips_are_read_in_order_and_an_absent_object_has_an_empty_mask(tmp_path):
    path = write_clips(tmp_path, lambda content: content["images"].reverse())
    clips, notes = read_clips([path], None)
    assert {clip.name: len(clip) for clip in clips} == {"moves": 4, "leaves": 4}
    leaves = next(clip for clip in clips if clip.name == "leaves")
    assert [leaves.target(2, frame).any() for frame in range(4)] == [True, True, False, True]
    assert np.array_equal(leaves.target(2, 3), disc(46, 40, 15, (80, 100)))
    assert leaves[0].shape == (80, 100, 3) and "2 clips of 8 frames with 2 objects" in notes[0]
    (one,), _ = read_clips([path], None, splits=["val"])
    assert one.name == "leaves"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda c: c["images"][1].update(frame_id=0), "'frame_id' of its images"),
        (lambda c: c["images"][1].pop("frame_id"), "'frame_id' of its images"),
        (lambda c: c["annotations"][0].pop("instance_id"), "does not say which object it is"),
        (lambda c: c["annotations"][1].update(image_id=1), "twice in frame 0"),
        (lambda c: c["images"][0].update(file_name="none.png"), "1 of 4 frames are missing"),
        (lambda c: [entry.pop("video_id") for entry in c["images"]], "8 images without 'video_id'"),
    ],
)
def test_what_is_no_clip_is_said(tmp_path, change, said):
    with pytest.raises(DataError, match=said):
        read_clips([write_clips(tmp_path, change)], None)


def test_the_command_scores_writes_and_goes_on(tmp_path, tiny_weights, capsys):
    path = write_clips(tmp_path)
    args = ["evaluate", str(tiny_weights), str(path), "--cine", "--out", str(tmp_path / "out")]
    assert main(args) == 0
    found = json.loads((tmp_path / "out/cine.json").read_text())["scores"]["all"]
    assert set(found) == {"followed", "mask kept still", "flow alone"}
    # By hand: a disc that moves by 2, 4, 6 pixels over one that stays.
    ious = []
    for shift in (2, 4, 6):
        a, b = disc(40, 40, 15, (80, 100)), disc(40 + shift, 40, 15, (80, 100))
        ious.append((a & b).sum() / (a | b).sum())
    expected = (np.mean(ious) + np.mean([ious[0], 0.0, ious[2]])) / 2
    assert found["mask kept still"]["J"] == pytest.approx(expected)
    assert found["mask kept still"]["absence seen"] == 0.0
    assert found["flow alone"]["J"] > found["mask kept still"]["J"]
    page = (tmp_path / "out/report.html").read_text()
    assert "<svg" in page and "J after return" in page and "leaves" in page
    assert "--cine" in (tmp_path / "out/cine.md").read_text()
    kept = {file: file.stat().st_mtime_ns for file in (tmp_path / "out/clips").glob("*.json")}
    capsys.readouterr()
    assert main(args) == 0
    assert {file: file.stat().st_mtime_ns for file in (tmp_path / "out/clips").glob("*.json")} == kept
    assert len(kept) == 3
    assert main([*args, "--start", "box"]) == 0
    again = json.loads((tmp_path / "out/cine.json").read_text())["scores"]["all"]
    assert again["mask kept still"]["J"] != found["mask kept still"]["J"]
