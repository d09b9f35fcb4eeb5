"""COCO files: masks against pycocotools, and every kind of broken file with a message that helps."""

import json
from functools import partial

import cv2
import numpy as np
import pytest
from pycocotools import mask as coco_mask

from ultrasam.data import coco, columns
from ultrasam.data.split import load_split, split_file
from ultrasam.errors import DataError
from ultrasam.evaluate.samples import read_samples

H, W = 40, 60


def disc():
    y, x = np.mgrid[:H, :W]
    return (x - 30) ** 2 + (y - 20) ** 2 < 100


@pytest.fixture
def file(tmp_path):
    """A COCO file with one image and one object, and a function that writes a changed copy."""
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((H, W), np.uint8))

    def write(change=lambda content: None):
        content = {
            "images": [{"id": 7, "file_name": "a.png", "height": H, "width": W}],
            "annotations": [
                {"id": 3, "image_id": 7, "category_id": 1, "bbox": [21, 11, 19, 19], "iscrowd": 0}
                | {"segmentation": coco.encode(disc()), "area": int(disc().sum())}
            ],
            "categories": [{"id": 1, "name": "lesion"}, {"id": 2, "name": "cyst"}],
        }
        change(content)
        path = tmp_path / "coco.json"
        path.write_text(json.dumps(content))
        return path, tmp_path

    return write


def test_encode_and_decode():
    rle = coco.encode(disc())
    assert np.array_equal(coco_mask.decode(rle).astype(bool), disc())
    assert np.array_equal(coco.decode(rle, (H, W), "x"), disc())
    uncompressed = {"size": [H, W], "counts": [5, 10, H * W - 15]}
    assert coco.decode(uncompressed, (H, W), "x").sum() == 10
    square = coco.decode([[10, 5, 20, 5, 20, 15, 10, 15]], (H, W), "x")
    assert square[5:15, 10:20].all() and square.sum() == pytest.approx(100, abs=20)


def test_load(file):
    found = coco.load(*file())
    assert [image.id for image in found.images] == [7] and found.images[0].size == (H, W)
    assert "1 images with 1 objects" in found.summary() and "left out" not in found.summary()


def test_what_is_left_out_is_counted(file):
    def change(content):
        empty = coco.encode(np.zeros((H, W), bool))
        first = content["annotations"][0]
        content["annotations"] += [
            {**first, "id": 4, "segmentation": empty},
            {**first, "id": 5, "iscrowd": 1},
            {**first, "id": 6, "category_id": 2},
        ]
        content["images"].append({"id": 8, "file_name": "none.png", "height": H, "width": W})

    found = coco.load(*file(change), categories=["lesion"])
    assert dict(found.left_out) == {
        "annotations with an empty mask": 1,
        "crowd annotations": 1,
        "annotations of other categories": 1,
        "images without an object": 1,
    }
    assert "1 annotations with an empty mask" in found.summary()


def first(content):
    return content["annotations"][0]


BROKEN = {
    "missing image": (lambda c: c["images"][0].update(file_name="b.png"), r"b\.png \(id 7\)"),
    "unknown image id": (lambda c: first(c).update(image_id=9), "annotation 3 belongs to image 9"),
    "unknown category": (lambda c: first(c).update(category_id=5), "annotation 3 has category 5"),
    "no size": (lambda c: c["images"][0].pop("height"), "image 7 lacks a valid 'height'"),
    "no bbox": (lambda c: first(c).pop("bbox"), "annotation 3 has no valid bbox"),
    "NaN bbox": (lambda c: first(c).update(bbox=[1, 2, float("nan"), 3]), "no valid bbox"),
    "box outside": (lambda c: first(c).update(bbox=[100, 5, 10, 10]), "annotation 3 has its box .* outside"),
    "no mask": (lambda c: first(c).pop("segmentation"), "annotation 3 has a malformed mask"),
    "empty code": (lambda c: first(c)["segmentation"].update(counts=""), "empty run-length code"),
    "other size": (lambda c: first(c)["segmentation"].update(size=[9, 9]), r"the mask is \[9, 9\]"),
    "wrong runs": (
        lambda c: first(c).update(segmentation={"size": [H, W], "counts": [1, 2]}),
        "do not add up",
    ),
    "short polygon": (lambda c: first(c).update(segmentation=[[1, 2, 3, 4]]), "three points"),
    "no annotations": (lambda c: c.update(annotations=[]), "no annotated object"),
    "ids twice": (lambda c: c["images"].append(c["images"][0]), "image id 7 occurs twice"),
    "no categories": (lambda c: c.pop("categories"), "no list of categories"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_files(file, case):
    change, words = BROKEN[case]
    path, folder = file(change)
    with pytest.raises(DataError, match=words) as error:
        coco.load(path, folder)
    assert "coco.json" in str(error.value)


def test_unknown_category_name_and_unreadable_files(file, tmp_path):
    path, folder = file()
    with pytest.raises(DataError, match=r"no category tumour; it has lesion, cyst"):
        coco.load(path, folder, ["tumour"])
    with pytest.raises(DataError, match=r"no COCO file at .*x\.json"):
        coco.load(tmp_path / "x.json", folder)
    path.write_text("{")
    with pytest.raises(DataError, match="not valid JSON"):
        coco.load(path, folder)


def test_malformed_code_is_found_when_decoding():
    with pytest.raises(DataError, match="annotation 3"):
        coco.decode({"size": [H, W], "counts": "oo"}, (H, W), "file: annotation 3")


def test_runs_of_any_part():
    rng = np.random.default_rng(0)
    for _ in range(200):
        height, width = (int(n) for n in rng.integers(1, 12, 2))
        whole = np.zeros((height, width), dtype=bool)
        y1, x1 = int(rng.integers(0, height)), int(rng.integers(0, width))
        y2, x2 = int(rng.integers(y1, height)) + 1, int(rng.integers(x1, width)) + 1
        part = rng.random((x2 - x1, y2 - y1)) < rng.choice([0.1, 0.5, 0.9, 1.0])
        whole[y1:y2, x1:x2] = part.T
        lengths = coco.counts(part, (x1, y1), whole.shape)
        assert lengths.sum() == whole.size
        assert coco.compress([lengths], whole.shape) == [coco.encode(whole)]


@pytest.fixture
def parsed(monkeypatch):
    """How often a COCO file was parsed since the test began."""
    calls = []

    def count(read, *args, **kwargs):
        content = read(*args, **kwargs)
        calls.extend([1] * (isinstance(content, dict) and "annotations" in content))
        return content

    for name in ("load", "loads"):
        monkeypatch.setattr(json, name, partial(count, getattr(json, name)))
    return calls


def _two_images(content):
    content["images"].append({**content["images"][0], "id": 8, "split": "test", "subject": "b"})
    content["images"][0].update(split="train", subject="a")
    content["annotations"].append({**content["annotations"][0], "id": 4, "image_id": 8, "category_id": 2})


@pytest.mark.parametrize(
    "read",
    [
        lambda path, folder: coco.load(path, folder, ["cyst"]),
        lambda path, folder: columns.load(path, folder, least=0),
        lambda path, folder: load_split(path, folder, {"test": 0.2}),
        lambda path, folder: split_file(path, folder / "out", {"test": 0.2}),
        lambda path, folder: read_samples({path: folder}, splits=["test"]),
    ],
    ids=["load", "columns", "split", "files of a split", "samples"],
)
def test_a_file_is_parsed_once(file, parsed, read):
    path, folder = file(_two_images)
    read(path, folder)
    assert len(parsed) == 1


def test_a_part_holds_what_is_used_and_the_rest_of_the_file(file):
    def change(content):
        _two_images(content)
        content["info"] = {"year": 2025}
        content["annotations"].append({**content["annotations"][0], "id": 5, "iscrowd": 1})

    found = coco.load(*file(change))
    part = found.part(found.images[:1])
    assert [image["id"] for image in part["images"]] == [7] and [a["id"] for a in part["annotations"]] == [3]
    assert part["info"] == {"year": 2025} and len(part["categories"]) == 2
