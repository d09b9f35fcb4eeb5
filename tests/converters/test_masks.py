"""Mask rules, run lengths, splits and checks against hand-made tables and other libraries."""

from __future__ import annotations

import copy

import cv2
import numpy as np
import pytest
from pycocotools import mask as coco_mask
from scipy import ndimage
from skimage.draw import polygon as sk_polygon
from ultrasam.converters import Case, Category, ConverterError, check
from ultrasam.converters.engine import masks, rle
from ultrasam.converters.engine.coco import to_coco
from ultrasam.converters.engine.split import assign_cases

from tests.kit.rle import unpack


@pytest.mark.parametrize("seed", range(30))
def test_run_lengths_are_those_of_pycocotools(seed):
    rng = np.random.default_rng(seed)
    h, w = rng.integers(1, 40, 2)
    mask = rng.random((h, w)) < rng.choice([0.0, 0.02, 0.5, 0.98, 1.0])
    mask[:, : w // 3] |= seed % 3 == 0
    truth = coco_mask.encode(np.asfortranarray(mask, np.uint8))
    assert rle.encode(mask, 0, 0, mask.shape)["counts"] == truth["counts"].decode()
    if mask.any():
        ys, xs = np.nonzero(mask)
        crop = mask[ys.min() : ys.max() + 1, xs.min() : xs.max() + 1]
        found = rle.encode(crop, int(xs.min()), int(ys.min()), (int(h), int(w)))
        assert found["counts"] == truth["counts"].decode()
        np.testing.assert_array_equal(coco_mask.decode(found), mask)
    runs = unpack(truth["counts"])
    assert sum(runs) == h * w and coco_mask.frPyObjects({"size": [h, w], "counts": runs}, h, w) == truth


def test_thresholds_labels_and_colors():
    values = np.array([[0, 127, 128, 255]], np.uint8)
    (found,) = masks.binary(values, "a")
    assert found.mask.tolist() == [[False, False, True, True]]
    assert masks.binary(values * 0, "a") == []
    labels = np.array([[0, 1, 2, 4]])
    names = {1: "a", 2: "b", 4: "b"}
    assert [o.category for o in masks.label_map(labels, names)] == ["a", "b", "b"]
    with pytest.raises(ValueError, match=r"unknown label values \[4\]"):
        masks.label_map(labels, {1: "a", 2: "b"})
    rgb = np.array([[[0, 0, 0], [250, 3, 2], [0, 0, 255], [90, 90, 90]]], np.uint8)
    table = {(0, 0, 0): None, (255, 0, 0): "red", (0, 0, 255): "blue"}
    found, strays = masks.colors(rgb, table, distance=40, stray=0.3)
    assert [(o.category, o.mask.tolist()) for o in found] == [
        ("red", [[False, True, False, False]]),
        ("blue", [[False, False, True, False]]),
    ]
    assert strays == 1
    with pytest.raises(ValueError, match=r"unknown color \(90, 90, 90\)"):
        masks.colors(rgb, table, distance=40)


@pytest.mark.parametrize("seed", range(8))
def test_polygons_agree_with_skimage(seed):
    rng = np.random.default_rng(seed)
    angles = np.sort(rng.uniform(0, 2 * np.pi, 12))
    radii = rng.uniform(15, 40, 12)
    ring = np.stack([50 + radii * np.cos(angles), 48 + radii * np.sin(angles)], 1)
    mine = masks.polygon(ring, (96, 100))
    theirs = np.zeros((96, 100), bool)
    theirs[sk_polygon(ring[:, 1], ring[:, 0], (96, 100))] = True
    rim = cv2.dilate(theirs.astype(np.uint8), np.ones((5, 5))) > 0  # sharp tips are longer here
    assert not (mine & ~rim).any() and (mine & theirs).sum() > 0.97 * theirs.sum()


def test_polygons_that_are_none():
    for points, reason in (([[1, 1], [2, 2]], "2 points"), ([[1, 1], [2, np.nan], [3, 3]], "no numbers")):
        with pytest.raises(ValueError, match=reason):
            masks.polygon(points, (9, 9))
    assert masks.polygons([("a", [[20, 20], [30, 20], [30, 30]])], (9, 9)) == []


def test_outlines_open_and_closed():
    line = np.zeros((80, 120), np.uint8)
    cv2.ellipse(line, (60, 70), (40, 30), 10, 0, 360, 255, 1)
    full = np.zeros_like(line)
    cv2.ellipse(full, (60, 70), (40, 30), 10, 0, 360, 255, -1)
    found = masks.fill_outline(line > 0)
    overlap = (found & (full > 0)).sum() / (found | (full > 0)).sum()
    assert overlap > 0.98
    with pytest.raises(ValueError, match="open and no ellipse"):
        masks.fill_outline(np.eye(60, dtype=bool) | np.eye(60, dtype=bool)[::-1])


def test_the_field_of_view_has_no_holes_where_tissue_is_black():
    frames = np.zeros((3, 40, 40), np.uint8)
    frames[:, 5:35, 5:35] = 9
    frames[:, 15:20, 15:20] = 0
    frames[0, 0, 39] = 255
    view = masks.field_of_view(frames)
    assert view.sum() == 900 and view[17, 17] and not view[0, 39]
    np.testing.assert_array_equal(view, ndimage.binary_fill_holes(view))


def test_fit_resizes_only_the_same_shape():
    mask = np.zeros((20, 40), np.uint8)
    mask[4:10, 8:20] = 255
    found, notes = masks.fit(mask, (10, 20))
    assert notes and found.shape == (10, 20) and set(np.unique(found)) == {0, 255} and (found > 0).sum() == 18
    assert masks.fit(mask, (20, 40)) == (mask, ()) or masks.fit(mask, (20, 40))[0] is mask
    with pytest.raises(ValueError, match="mask of 40x20 pixels for an image of 20x20"):
        masks.fit(mask, (20, 20))


def test_splits_are_by_subject_stable_and_about_the_share():
    cases = [Case(f"{i}", subject=f"s{i // 4}") for i in range(4000)]
    sides = assign_cases(cases, val=0.05)
    share = sum(side == "val" for side in sides.values()) / 4000
    assert 0.03 < share < 0.07
    more = assign_cases([*cases, *(Case(f"n{i}", subject=f"n{i}") for i in range(50))], val=0.05)
    assert all(more[key] == side for key, side in sides.items())
    few = assign_cases([Case(f"{i}", subject=f"s{i % 8}") for i in range(80)])
    assert 0 < len({int(k) % 8 for k, side in few.items() if side == "val"}) < 8
    with pytest.raises(ConverterError, match="unknown split 'dev'"):
        assign_cases([Case("a", split="dev")])


def good():
    mask = np.zeros((10, 12), bool)
    mask[2:5, 3:9] = True
    annotation = {
        "category": "a",
        "bbox": [3, 2, 6, 3],
        "area": 18,
        "segmentation": rle.encode(mask, 0, 0, mask.shape),
    }
    image = {"file_name": "x.png", "width": 12, "height": 10, "annotations": [annotation]}
    return to_coco([image], [Category("a")], {})


def broken(change):
    coco = copy.deepcopy(good())
    change(coco)
    return {problem.kind for problem in check(coco, None)}


def test_check_finds_what_is_wrong():
    assert check(good(), None) == []
    first = lambda c: c["annotations"][0]  # noqa: E731
    changes = {
        "unknown category": lambda c: first(c).update(category_id=7),
        "unknown image": lambda c: first(c).update(image_id=7),
        "box outside": lambda c: first(c).update(bbox=[13, 2, 60, 3]),
        "box": lambda c: first(c).update(bbox=[0, 0, 2, 2]),
        "area": lambda c: first(c).update(area=17),
        "no annotations": lambda c: c.update(annotations=[]),
        "no images": lambda c: c.update(images=[]),
        "missing part": lambda c: c.pop("categories"),
        "duplicate id": lambda c: c["annotations"].append(c["annotations"][0]),
        "bad id": lambda c: first(c).update(id=1.5),
        "incomplete image": lambda c: c["images"][0].pop("width"),
        "empty mask": lambda c: first(c).update(
            segmentation=rle.encode(np.zeros((10, 12), bool), 0, 0, (10, 12))
        ),
    }
    for kind, change in changes.items():
        assert kind in broken(change), kind
    for counts in ("", "0", "zzzzzzzzzzzzz", "\x01", "1" * 50):
        assert "malformed mask" in broken(lambda c, v=counts: first(c)["segmentation"].update(counts=v))
    assert "malformed mask" in broken(lambda c: first(c).update(segmentation=[[1, 2, 3]]))
    assert "malformed mask" in broken(lambda c: first(c)["segmentation"].update(size=[5, 5]))


def test_check_looks_at_the_files(tmp_path):
    coco = good()
    assert {p.kind for p in check(coco, tmp_path)} == {"missing image"}
    cv2.imwrite(str(tmp_path / "x.png"), np.zeros((10, 13), np.uint8))
    assert {p.kind for p in check(coco, tmp_path)} == {"size"}
    (tmp_path / "x.png").write_bytes(b"no image")
    assert {p.kind for p in check(coco, tmp_path)} == {"unreadable image"}


def test_json_written_in_pieces_is_that_of_json(tmp_path):
    import json

    from ultrasam.converters.engine.coco import write_json

    for value in ({}, {"a": [], "é": {"x": [1]}}, {"l": [{"i": i} for i in range(2500)], "z": None}):
        write_json(value, tmp_path / "a.json")
        expected = json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n"
        assert (tmp_path / "a.json").read_text(encoding="utf-8") == expected
