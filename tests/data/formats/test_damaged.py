"""Damaged and hostile label files: an error says where, and nothing else happens."""

import copy
import json
import random

import cv2
import numpy as np
import pytest

from tests.kit import fuzz_coco, label_files, labels
from ultrasam.data.formats import importing
from ultrasam.errors import DataError


def changed(kind, place, value):
    """The content of a JSON kind with another value at a place; ``...`` takes it away."""
    content = copy.deepcopy(
        {"labelme": label_files.labelme, "via": label_files.via, "ls": label_files.label_studio}[kind]()
    )
    holder = content
    for key in place[:-1]:
        holder = holder[key]
    if value is ...:
        del holder[place[-1]]
    else:
        holder[place[-1]] = value
    return json.dumps(content)


SHAPE = ("shapes", 0)
REGION = ("a.png123", "regions", 0)
OUTLINE = (*REGION, "shape_attributes")
RESULT = (0, "annotations", 1, "result", 0)
BRUSH = (0, "annotations", 1, "result", 1, "value", "rle")
JSON = [
    ("labelme", (*SHAPE, "points"), [[1, 2], [3]], "points are pairs"),
    ("labelme", (*SHAPE, "points", 0, 0), "3", "takes a number"),
    ("labelme", (*SHAPE, "points", 0, 0), float("nan"), "takes a number"),
    ("labelme", (*SHAPE, "points", 0, 0), 1e6, "object of the class 'lesion'"),
    ("labelme", (*SHAPE, "label"), ..., "its label is None"),
    ("labelme", (*SHAPE, "shape_type"), "spline", "'spline', which is not known"),
    ("labelme", ("shapes", 1, "mask"), "no base64!", "no base64"),
    ("labelme", ("shapes", 1, "mask"), "AAAA", "no PNG"),
    ("labelme", ("imagePath",), ["a.png"], "takes a text"),
    ("labelme", ("imagePath",), "labels.json", "not a readable image"),
    ("labelme", ("imageWidth",), 13, "says 13 x 9 pixels"),
    ("labelme", ("shapes",), {}, "no list"),
    ("via", (*OUTLINE, "name"), "spline", "not known"),
    ("via", (*OUTLINE, "all_points_x"), [1, 2], "2 x and 4 y"),
    ("via", (*OUTLINE, "all_points_x", 0), None, "takes a number"),
    ("via", (*OUTLINE, "all_points_x", 0), 1e7, "far outside|outside"),
    ("via", REGION, "text", "no object with fields"),
    ("via", REGION[:2], [{"region_attributes": {"color": "red", "size": "big"}}], "which is the class"),
    ("via", ("a.png123", "filename"), 5, "takes a text"),
    ("via", ("a.png123", "filename"), "gone.png", "'gone.png' is not below"),
    ("ls", BRUSH, label_files.PACKED[:12], "cut off"),
    ("ls", BRUSH, [255, *label_files.PACKED[1:]], "brush mask of"),
    ("ls", BRUSH, [300, "x"], "no list of bytes"),
    ("ls", (*RESULT, "original_width"), 1e12, "size"),
    ("ls", (*RESULT, "original_width"), 13, "others of its task are not"),
    ("ls", (*RESULT, "value", "points", 0), [1, 2, 3], "points are pairs"),
    ("ls", (*RESULT, "value", "polygonlabels"), [7], "takes a text"),
    ("ls", (0, "data"), {"text": "words"}, "which of its data is the image"),
    ("ls", (0, "annotations", 1, "result"), None, "no list"),
]


@pytest.mark.parametrize(("kind", "place", "value", "said"), JSON)
def test_json(kind, place, value, said, tmp_path):
    label_files.image(tmp_path)
    path = tmp_path / "labels.json"
    path.write_text(changed(kind, place, value))
    with pytest.raises(DataError, match=said) as caught:
        importing.read(path)
    assert "labels.json" in str(caught.value) or tmp_path.name in str(caught.value)


BOMB = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><annotations>&b;</annotations>'
XML = [
    ("<annotations><image", "no valid XML"),
    (BOMB, "declares a document type"),
    (label_files.cvat().replace("10.00,7.00", "10.00"), "points are pairs"),
    (label_files.cvat().replace("10.00,7.00", "10.00,nan"), "takes a number"),
    (label_files.cvat().replace('rle="0, ', 'rle="9, '), "runs add up to"),
    (label_files.cvat().replace('rle="0, ', 'rle="x, '), "takes a number"),
    (label_files.cvat().replace('height="5"', ""), "its height is None"),
    (label_files.cvat().replace('label="lesion"', ""), "its label is None"),
    (label_files.cvat().replace('name="a.png"', 'name=""'), "its name is ''"),
    (label_files.cvat().replace('width="12"', 'width="-12"'), "whole pixels"),
    ("<annotation><object/></annotation>", "Pascal VOC"),
    ("<html></html>", "XML of another kind, <html>"),
]


@pytest.mark.parametrize(("text", "said"), XML)
def test_xml(text, said, tmp_path):
    label_files.image(tmp_path)
    (tmp_path / "a.xml").write_text(text)
    with pytest.raises(DataError, match=said):
        importing.read(tmp_path / "a.xml")
    (tmp_path / "a.xml").write_bytes(text.encode("utf-16"))
    with pytest.raises(DataError, match="no XML in UTF-8|not valid JSON|no JSON and no XML"):
        importing.read(tmp_path / "a.xml")


YOLO = [
    ("1 .1 .1 .5 .1 .5 .5\n7 .1 .1 .5 .1 .5 .5", "line 2 has the class '7'; data.yaml names 0, 1"),
    ("1 .1 .1 .5 .1 .5 .5 .9", "7 coordinates; they come in pairs"),
    ("1 .1 .1 .5 .1 .5 nan", "line 1 is nan"),
    ("1 .1 .1 .5 .1 .5 .5\none .1 .1 .5 .1 .5 .5", "line 2 is 'one'"),
    ("1 3 2 10 2 10 7", "fractions of the image, not pixels"),
    ("1.5 .1 .1 .5 .1 .5 .5", "no labels that are understood|class '1.5'"),
    ("-1 .1 .1 .5 .1 .5 .5", "class '-1'"),
    ("1 .5 .5 .1 .1", "has no object with a mask: 1 boxes"),
]


@pytest.mark.parametrize(("text", "said"), YOLO)
def test_yolo(text, said, tmp_path):
    label_files.write("yolo", tmp_path)
    (tmp_path / "a.txt").write_text(text)
    with pytest.raises(DataError, match=said):
        importing.read(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("data.yaml", "names: [a", "no valid YAML"),
        ("data.yaml", "names: 7", "takes a list of names"),
        ("data.yaml", "names: {a: b}", "takes a list of names"),
        ("data.yaml", "names: !!python/object/apply:os.system ['touch gone']", "no valid YAML"),
        ("b.txt", "1 .1 .1 .5 .1 .5 .5", "b.txt has no image of its name"),
        ("a.jpg", None, "share one label file"),
    ],
)
def test_what_lies_beside_yolos_files(name, content, said, tmp_path):
    label_files.write("yolo", tmp_path)
    if content is None:
        cv2.imwrite(str(tmp_path / name), np.zeros((9, 12), np.uint8))
    else:
        (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=said):
        importing.read(tmp_path)


def test_masks(tmp_path):
    label_files.write("masks", tmp_path)
    path = tmp_path / "a_mask.png"
    rng = np.random.default_rng(0)
    for values, said in (
        (np.zeros((5, 5), np.uint8), "has 5 x 5 pixels, its image 12 x 9"),
        (rng.integers(0, 255, (9, 12, 3), dtype=np.uint8), "is in color"),
        (rng.permutation(108).reshape(9, 12).astype(np.uint8), "it is a picture and no label map"),
        (np.zeros((9, 12), np.uint8), "no object with a mask"),
    ):
        cv2.imwrite(str(path), values)
        with pytest.raises(DataError, match=said):
            importing.read(tmp_path)
    for data in (b"", b"\x89PNG", path.read_bytes()[:-20]):
        path.write_bytes(data)
        with pytest.raises(DataError, match="not a readable image"):
            importing.read(tmp_path)
    path.rename(tmp_path / "b_mask.png")
    cv2.imwrite(str(tmp_path / "b_mask.png"), np.ones((9, 12), np.uint8))
    with pytest.raises(DataError, match="b_mask.png has no image"):
        importing.read(tmp_path)
    (tmp_path / "b_mask.png").unlink()
    with pytest.raises(DataError, match="no labels that are understood"):
        importing.read(tmp_path)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is empty"),
        (b"PK\x03\x04rest", "unpack it"),
        (b"{}", "is empty"),
        (b"[1, 2]", "JSON of another kind"),
        (b'{"images": 1}', "JSON of another kind"),
        (b"{", "not valid JSON"),
        (b"[" * 100_000, "without end"),
        (b'[{"image_id": 1, "bbox": [1, 2, 3, 4]}]', "COCO results"),
        (b'{"project": {}, "metadata": {}, "file": {}}', "VIA 3"),
        (b"\x00\x01\x02", "not valid JSON"),
        (b"hello world", "no JSON and no XML"),
        (b'{"images": [5], "annotations": [], "categories": []}', "no object with fields"),
    ],
)
def test_files_that_are_no_labels(data, said, tmp_path):
    path = tmp_path / "labels.json"
    path.write_bytes(data)
    with pytest.raises(DataError, match=said):
        importing.read(path)


def test_folders(tmp_path):
    with pytest.raises(DataError, match="there is no file or folder"):
        importing.read(tmp_path / "gone")
    with pytest.raises(DataError, match="0 images"):
        importing.read(tmp_path)
    labels.write(tmp_path)
    (tmp_path / "annotations/again.json").write_text((tmp_path / "annotations/all.json").read_text())
    with pytest.raises(DataError, match=r"2 files of coco labels .*give the one"):
        importing.read(tmp_path)
    (tmp_path / "annotations/again.json").write_text(json.dumps(label_files.labelme()))
    with pytest.raises(DataError, match="several kinds, labelme .again.json. and coco .all.json."):
        importing.read(tmp_path)
    with pytest.raises(DataError, match=r"'one.png' can't be told apart|can't be told apart"):
        for name in ("x/a.png", "y/a.png"):
            label_files.image(tmp_path / "twice", name)
        (tmp_path / "twice/l.json").write_text(json.dumps(label_files.labelme()))
        importing.read(tmp_path / "twice")


@pytest.mark.parametrize("kind", ["labelme", "via", "label studio", "cvat", "yolo"])
def test_random_edits_give_labels_or_an_error(kind, tmp_path):
    rng = random.Random(3)
    path = label_files.write(kind, tmp_path)
    path = tmp_path / "a.txt" if path.is_dir() else path
    before = path.read_text()
    endings = []
    for _ in range(150):
        if path.suffix == ".json":
            content = json.loads(before)
            for _ in range(rng.choice((1, 1, 2))):
                content = fuzz_coco.edited(content, rng)
            path.write_bytes(json.dumps(content).encode())
        else:
            at = rng.randrange(len(before))
            middle = rng.choice(
                ("", "9", "-", "e9", "nan", '"', "<", ";", "\0", "é", before[at : at + 40] * 2)
            )
            path.write_text(before[:at] + middle + before[at + rng.randrange(6) :])
        try:
            found = importing.read(path if kind != "yolo" else tmp_path)
            endings.append(sum(entry["area"] for entry in found.content["annotations"]) > 0)
        except DataError as error:
            assert str(error).encode()
            endings.append(None)
    assert {True, None} <= set(endings)
