"""What a COCO file must be: every reader names each fault, and what tools write otherwise is taken."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from pycocotools import mask as coco_mask
from ultrasam.converters import ConverterError, check
from ultrasam.converters.engine import coco_schema, contradictions, segmentations
from ultrasam.converters.engine.coco import read_json
from ultrasam.converters.engine.coco_parsed import Need
from ultrasam.converters.engine.stats import statistics
from ultrasam.converters.engine.validate import inspect

from tests.kit import fuzz_coco, rle
from tests.kit.fuzz_coco import H, W
from ultrasam.cli.main import main
from ultrasam.data import coco
from ultrasam.errors import DataError

NAN = float("nan")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("coco")
    fuzz_coco.pictures(folder / "images")
    return folder


def write(folder: Path, content) -> Path:
    path = folder / "mine.json"
    path.write_text(json.dumps(content))
    return path


def spoiled(change):
    content = fuzz_coco.valid()
    change(content)
    return content


def first(content):
    return content["annotations"][0]


def code(content):
    return content["annotations"][2]["segmentation"]


# What is done to a file, and words that everybody is told who needs what is wrong.
FAULTS = {
    "an annotation of null": (lambda c: c["annotations"].append(None), r"annotations\[3\] is None"),
    "an image that is a list": (lambda c: c["images"].append([]), r"images\[3\] is \[\]"),
    "a category of text": (lambda c: c["categories"].append("x"), r"categories\[2\] is 'x'"),
    "an image without id": (lambda c: c["images"][0].pop("id"), r"images\[0\] has no id"),
    "a category without id": (lambda c: c["categories"][0].pop("id"), r"categories\[0\] has no id"),
    "an annotation without id": (lambda c: first(c).pop("id"), r"annotations\[0\] has no id"),
    "an id that is a list": (lambda c: first(c).update(id=[1]), r"annotations\[0\] has the id \[1\]"),
    "an id that is true": (lambda c: c["images"][0].update(id=True), r"images\[0\] has the id True"),
    "an id of half": (lambda c: first(c).update(id=1.5), "id 1.5; it takes a whole number or a text"),
    "an annotation's id twice": (lambda c: first(c).update(id=11), "annotation id 11 occurs twice"),
    "a category's id twice": (lambda c: c["categories"][1].update(id=1), "category id 1 occurs twice"),
    "ids of two types": (lambda c: first(c).update(id="a"), "some ids of annotations are numbers and others"),
    "no image's id": (lambda c: first(c).update(image_id=9), "annotation 10 belongs to image 9"),
    "an image_id of null": (lambda c: first(c).update(image_id=None), "annotation 10 belongs to image None"),
    "an image_id that is a list": (lambda c: first(c).update(image_id=[1]), r"belongs to image \[1\]"),
    "no category's id": (lambda c: first(c).update(category_id=5), "annotation 10 has category 5"),
    "a file name that is a number": (
        lambda c: c["images"][0].update(file_name=3),
        "image 1 lacks a valid 'fi",
    ),
    "a zero in a file name": (lambda c: c["images"][0].update(file_name="a\0b"), "image 1 has a file name"),
    "a file name too long": (lambda c: c["images"][0].update(file_name="é" * 140), "of 140 characters"),
    "a subject that is a list": (
        lambda c: c["images"][0].update(subject=[1]),
        r"image 1 has the subject \[1\]",
    ),
    "iscrowd as text": (lambda c: first(c).update(iscrowd="0"), "annotation 10 has iscrowd '0'"),
    "an area of NaN": (lambda c: first(c).update(area=NAN), "annotation 10 has the area nan"),
    "a score as text": (lambda c: first(c).update(score="0.9"), "annotation 10 has the score '0.9'"),
    "a height of 2^63": (lambda c: c["images"][0].update(height=2**63), "image 1 has the height 9223"),
    "a height of a million": (lambda c: c["images"][0].update(height=10**6), "65535 pixels are the most"),
    "too many pixels": (lambda c: c["images"][0].update(height=60000, width=60000), "178956970 are the most"),
    "a width as text": (lambda c: c["images"][0].update(width="32"), "image 1 lacks a valid 'width': '32'"),
    "a height of zero": (lambda c: c["images"][0].update(height=0), "image 1 lacks a valid 'height': 0"),
}
BOXES = {
    "null": [None, 1, 2, 3],
    "texts": ["1", "2", "3", "4"],
    "NaN": [NAN, 1, 2, 3],
    "infinite": [float("inf"), 1, 2, 3],
    "without end": [10**400, 1, 2, 3],
    "far away": [4e10, 1, 2, 3],
    "three numbers": [1, 2, 3],
    "true": [True, 1, 2, 3],
    "no list": "1 2 3 4",
}
MASKS = {
    "NaN in a polygon": ([[8, 5, 20, NAN, 20, 15]], "far outside"),
    "4e10 in a polygon": ([[8, 5, 20, 4e10, 20, 15]], "far outside of its image of 32 x 24"),
    "10^400 in a polygon": ([[8, 5, 20, 10**400, 20, 15]], "far outside"),
    "null in a polygon": ([[8, 5, 20, None, 20, 15]], "a list of numbers"),
    "texts in a polygon": ([["8", "5", "20", "5", "20", "15"]], "a list of numbers"),
    "pairs of points": ([[[8, 5], [20, 5], [20, 15]]], "a list of numbers"),
    "an odd number of coordinates": ([[8, 5, 20, 5, 20, 15, 8]], "not 7 numbers"),
    "fractions": ([[0.2, 0.2, 0.6, 0.2, 0.6, 0.6]], "lie between 0 and 1"),
    "an outline without end": ([[*(-20, -20, 50, 40) * 9000]], "longer than"),
    "nothing": ([], "its segmentation is empty"),
    "null": (None, "it has no segmentation"),
    "a run list too short": ({"size": [H, W], "counts": [5, 5]}, "add up to the image's pixels: 10, not 768"),
    "negative runs": ({"size": [H, W], "counts": [-8, H * W + 8]}, "negative"),
    "half runs": ({"size": [H, W], "counts": [0.5, H * W - 0.5]}, "not whole numbers"),
    "no size": ({"counts": [H * W]}, "no 'size'"),
    "another size": ({"size": [W, H], "counts": [H * W]}, r"the mask is \[32, 24\], the image \[24, 32\]"),
    "no counts": ({"size": [H, W]}, "no 'counts'"),
    "an empty code": ({"size": [H, W], "counts": ""}, "empty run-length code"),
    "a code that is not ASCII": ({"size": [H, W], "counts": "é0"}, "a character that does not belong"),
    "a code with a space": ({"size": [H, W], "counts": "oo 0"}, "a character that does not belong"),
    "a code cut within a number": ({"size": [H, W], "counts": "0P"}, "cut off"),
    "a code too long": ({"size": [H, W], "counts": "P" * 40 + "0"}, "a number that no image has"),
}


def refusals(path, images, need):
    """What everybody says who needs so much of the file."""
    with pytest.raises(DataError) as error:
        coco.load(path, images)
    told = [str(error.value), "; ".join(p.message for p in check(read_json(path), images))]
    for level in range(need, Need.MASKS + 1):
        with pytest.raises(ConverterError) as refused:
            coco_schema.read(path, Need(level))
        told.append(str(refused.value))
    return told


@pytest.mark.parametrize("case", FAULTS)
def test_faults_of_entries(folder, case):
    change, words = FAULTS[case]
    path = write(folder, spoiled(change))
    for told in refusals(path, folder / "images", Need.ENTRIES):
        assert re.search(words, told), told


@pytest.mark.parametrize("case", BOXES)
def test_faults_of_boxes(folder, case):
    path = write(folder, spoiled(lambda c: first(c).update(bbox=BOXES[case])))
    assert statistics(coco_schema.read(path))["objects"] == 3  # who needs no boxes does not mind
    for told in refusals(path, folder / "images", Need.BOXES):
        assert "annotation 10 has no valid bbox (x, y, width, height" in told


@pytest.mark.parametrize("case", MASKS)
def test_faults_of_masks(folder, case):
    segmentation, words = MASKS[case]
    path = write(folder, spoiled(lambda c: first(c).update(segmentation=segmentation)))
    for told in refusals(path, folder / "images", Need.MASKS):
        assert re.search(f"annotation 10 has a malformed mask: .*{words}", told), told
    with pytest.raises(DataError, match=words):
        coco.decode(segmentation, (H, W), "here")


@pytest.mark.parametrize(
    "edit", [lambda t: t[:-2], lambda t: t[: len(t) // 2], lambda t: t + "1", lambda t: "1" + t]
)
def test_codes_that_stand_for_another_size_are_refused(folder, edit):
    def change(content):
        code(content)["counts"] = edit(code(content)["counts"])

    path = write(folder, spoiled(change))
    with pytest.raises(DataError, match="annotation 12 has a malformed mask"):
        coco.load(path, folder / "images")


def test_codes_are_judged_as_when_read_one_character_at_a_time():
    rng = np.random.default_rng(0)
    codes, sizes = [], []
    for _ in range(1500):
        size = tuple(int(n) for n in rng.integers(1, 40, 2))
        mask = rng.random(size) < rng.choice([0, 0.001, 0.05, 0.5, 1])
        text = list(coco.encode(mask)["counts"])
        at = int(rng.integers(0, len(text)))
        how = rng.integers(0, 6)
        if how == 0:
            text[at] = chr(int(rng.integers(40, 120)))
        elif how == 1:
            del text[at:]
        elif how == 2:
            text.insert(at, chr(int(rng.integers(48, 112))))
        codes.append("".join(text))
        sizes.append(size)

    def sound(text, size):
        try:
            runs = rle.unpack(text)
        except ValueError:
            return False
        return bool(runs) and min(runs) >= 0 and sum(runs) == size[0] * size[1]

    segments = [{"size": list(size), "counts": text} for text, size in zip(codes, sizes, strict=True)]
    found = [reason is None for reason in segmentations.faults(segments, sizes)]
    expected = [sound(text, size) for text, size in zip(codes, sizes, strict=True)]
    assert found == expected and 300 < sum(expected) < 1300


def test_areas_and_boxes_of_many_masks():
    masks = [np.zeros((9, 11), bool) for _ in range(300)]
    for i, mask in enumerate(masks):
        mask[i % 7 : i % 7 + 2, i % 5 : i % 5 + 4] = True
    areas, boxes = segmentations.areas_and_boxes([coco.encode(mask) for mask in masks])
    assert areas.tolist() == [8] * 300 and boxes.tolist() == [[i % 5, i % 7, 4, 2] for i in range(300)]


def test_many_faults_are_counted_and_the_first_is_raised(folder, capsys):
    def change(content):
        for annotation in content["annotations"]:
            annotation["bbox"] = None
        content["images"][0]["height"] = "x"

    path = write(folder, spoiled(change))
    with pytest.raises(DataError, match=r"image 1 lacks a valid 'height'.*3 more: run 'ultrasam data check"):
        coco.load(path, folder / "images")
    assert main(["data", "check", str(path), "--images", str(folder / "images")]) == 1
    shown = capsys.readouterr().out
    assert "3 x box" in shown and "1 x incomplete image" in shown


# What is written otherwise and what of it is told.
TAKEN = {
    "flat polygons": (
        lambda c: first(c).update(segmentation=first(c)["segmentation"][0]),
        "1 segmentations that",
    ),
    "an image_id as text": (
        lambda c: first(c).update(image_id="1"),
        "1 annotations whose image_id is of another",
    ),
    "a category_id as text": (lambda c: first(c).update(category_id="1"), "1 annotations whose category_id"),
    "sizes of 24.0": (lambda c: c["images"][0].update(height=float(H)), ""),
    "a nameless category": (lambda c: c["categories"][0].pop("name"), "1 categories without a name"),
    "a category named null": (lambda c: c["categories"][0].update(name=None), "1 categories without a name"),
    "twins": (lambda c: c["categories"][1].update(name="lesion"), "2 categories of the one name 'lesion'"),
    "a little outside": (lambda c: first(c).update(segmentation=[[-2, 5, 20, 5, 20, 15, -2, 15]]), ""),
    "no area": (lambda c: first(c).pop("area"), ""),
    "ids of text": (
        lambda c: (
            [a.update(id=f"a{a['id']}", image_id=f"i{a['image_id']}") for a in c["annotations"]]
            + [i.update(id=f"i{i['id']}") for i in c["images"]]
        ),
        "",
    ),
    "all crowd": (
        lambda c: [a.update(iscrowd=1) for a in c["annotations"]],
        "3 crowd annotations (iscrowd 1)",
    ),
}


@pytest.mark.parametrize("case", TAKEN)
def test_what_is_taken_as_it_is_meant_and_told(folder, case):
    change, words = TAKEN[case]
    path = write(folder, spoiled(change))
    used = coco.load(path, folder / "images")
    masks = [mask for image in used.images for mask in image.masks()]
    truth = coco.load(write(folder, fuzz_coco.valid()), folder / "images")
    same = [mask for image in truth.images for mask in image.masks()]
    assert len(masks) == 3 and all(map(np.array_equal, masks[1:], same[1:]))
    assert words in used.summary()
    found = inspect(spoiled(change), folder / "images")
    assert found.problems == [] and words in "; ".join(f"{n} {note}" for note, n in found.notes.items())


def test_twins_and_nameless_categories_are_used_by_name_and_without(folder):
    twins = write(folder, spoiled(lambda c: c["categories"][1].update(name="lesion")))
    assert sum(len(i.annotations) for i in coco.load(twins, folder / "images", ["lesion"]).images) == 3
    nameless = write(folder, spoiled(lambda c: c["categories"][1].pop("name")))
    assert sum(len(i.annotations) for i in coco.load(nameless, folder / "images", ["category 2"]).images) == 1
    assert statistics(coco_schema.read(nameless))["categories"] == {"lesion": 2, "category 2": 1}


def test_an_id_that_could_mean_two_is_refused(folder):
    content = spoiled(lambda c: (c["images"][0].update(id="1"), c["images"][1].update(id=1)))
    with pytest.raises(DataError, match="some ids of images are numbers and others texts"):
        coco.load(write(folder, content), folder / "images")


def test_some_crowd_annotations_are_left_out_and_named(folder, capsys):
    path = write(folder, spoiled(lambda c: first(c).update(iscrowd=1)))
    assert "1 crowd annotations" in coco.load(path, folder / "images").summary()
    assert main(["data", "check", str(path), "--images", str(folder / "images")]) == 0
    assert "note: 1 crowd annotations (iscrowd 1), left out" in capsys.readouterr().out


BOXES_AS = {
    "x1, y1, x2, y2": lambda x, y, w, h: [x, y, x + w, y + h],
    "fractions of the image": lambda x, y, w, h: [x / 320, y / 240, w / 320, h / 240],
    "fractions of the image, with the box's center": (
        lambda x, y, w, h: [(x + w / 2) / 320, (y + h / 2) / 240, w / 320, h / 240]
    ),
    "the box's center, width and height": lambda x, y, w, h: [x + w / 2, y + h / 2, w, h],
    "y, x, height, width": lambda x, y, w, h: [y, x, h, w],
}


def large(count: int, change=lambda x, y, w, h: [x, y, w, h], of: int = 10**9):
    """A file of squares on images of 320 x 240 pixels; the boxes of the first ones are changed."""
    images = [{"id": i, "file_name": "big.png", "height": 240, "width": 320} for i in range(count)]
    annotations = []
    for i in range(count):
        x, y, w, h = 60 + i % 50, 20, 40, 60
        ring = [x, y, x + w, y, x + w, y + h, x, y + h]
        box = change(x, y, w, h) if i < of else [x, y, w, h]
        annotations.append({"id": i, "image_id": i, "category_id": 1, "bbox": box, "segmentation": [ring]})
    return {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "a"}]}


@pytest.mark.parametrize("way", BOXES_AS)
def test_boxes_that_contradict_their_masks(tmp_path, way):
    cv2.imwrite(str(tmp_path / "big.png"), np.zeros((240, 320), np.uint8))
    path = write(tmp_path, large(20, BOXES_AS[way]))
    with pytest.raises(
        DataError, match=rf"the boxes of 20 of 20 annotations .*they look like {way}, COCO has"
    ):
        coco.load(path, tmp_path)
    problems = [p for p in check(read_json(path), tmp_path) if p.kind == "box"]
    assert len(problems) == 20 and f"they look like {way}" in problems[0].message


def test_a_few_contradictions_are_left_out_and_more_refused(tmp_path):
    cv2.imwrite(str(tmp_path / "big.png"), np.zeros((240, 320), np.uint8))
    elsewhere = lambda x, y, w, h: [x + 90, y + 100, w, h]  # noqa: E731
    few = write(tmp_path, large(200, elsewhere, of=2))
    used = coco.load(few, tmp_path)
    assert used.left_out["annotations whose box contradicts their mask"] == 2 and len(used.images) == 198
    assert sum(p.kind == "box" for p in check(read_json(few), tmp_path)) == 2
    with pytest.raises(DataError, match="3 of 200 annotations contradict .*correct the boxes or the masks"):
        coco.load(write(tmp_path, large(200, elsewhere, of=3)), tmp_path)


def test_loose_and_tiny_boxes_contradict_nothing():
    boxes = np.array([[10, 10, 20, 20], [8, 7, 26, 24], [5, 5, 1, 1], [4, 4, 3, 3]], float)
    masks = np.array([[10, 10, 20, 20], [10, 10, 20, 20], [6, 5, 1, 1], [5, 5, 1, 1]], float)
    assert not contradictions.contradictory(boxes, masks).any()


@pytest.mark.parametrize(("orientation", "turned"), [(1, False), (3, False), (6, True), (8, True)])
def test_sizes_are_those_of_the_image_upright(tmp_path, orientation, turned):
    (tmp_path / "images").mkdir()
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new("L", (20, 12)).save(tmp_path / "images/a.jpg", exif=exif)
    width, height = (12, 20) if turned else (20, 12)
    content = fuzz_coco.valid() | {"annotations": []}
    content["images"] = [{"id": 1, "file_name": "a.jpg", "width": width, "height": height}]
    found = inspect(content, tmp_path / "images")
    assert [p.kind for p in found.problems] == ["no annotations"]
    assert ("1 images with an EXIF" in "".join(f"{n} {s}" for s, n in found.notes.items())) == (
        orientation > 1
    )
    content["images"][0].update(width=height, height=width)
    told = next(p.message for p in inspect(content, tmp_path / "images").problems if p.kind == "size")
    assert told.startswith(
        f"image 1 (a.jpg) is {width} x {height} pixels, its COCO file says {height} x {width}"
    )
    assert ("annotated in a tool that does not obey EXIF" in told) == turned


def test_files_that_are_no_json_of_ours(tmp_path):
    path = tmp_path / "a.json"
    for data, words in (
        (b"[" * 100_000, "lists within lists"),
        (b'{"images": [{"id": 1, "file_name": "\\ud800"}]}', "half of a character"),
        (b"\xff\xfe\xff", "not valid JSON"),
        (b"", "not valid JSON"),
        (b'{"images": [], "annotations": {}, "categories": []}', "no list of annotations"),
        (b'{"images": ' + b"9" * 5000, "not valid JSON"),
    ):
        path.write_bytes(data)
        with pytest.raises(DataError, match=words):
            coco.read(path)
    path.write_text(json.dumps(fuzz_coco.valid()), encoding="utf-8-sig")
    assert len(coco.read(path).content["images"]) == 3
    with pytest.raises(ConverterError, match="cannot read"):
        read_json(tmp_path)


@settings(
    max_examples=200, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)
@given(st.randoms(use_true_random=False))
def test_whatever_the_edits_readers_go_through_or_say_why(folder, rng):
    ends = fuzz_coco.read_by_all(folder, fuzz_coco.mutated(rng))
    if ends["check"] is None:
        refusals = {reader: said for reader, said in ends.items() if said is not None}
        # How many sides are asked for is no matter of the file.
        assert "too few to split" in refusals.pop("split", "too few to split")
        assert not refusals


def test_readers_go_through_what_is_valid(folder):
    ends = fuzz_coco.read_by_all(folder, json.dumps(fuzz_coco.valid()).encode())
    assert set(ends.values()) == {None} and len(ends) == 6
    assert sorted(os.listdir(folder / "sides")) == ["test.json", "train.json", "val.json"]
    joined = coco.load(folder / "joined.json", folder)
    assert [len(i.annotations) for i in joined.images] == [1, 1, 1]
    decoded = coco_mask.decode(code(fuzz_coco.valid())).astype(bool)
    assert np.array_equal(joined.images[2].masks()[0], decoded)
