"""Prompts in tables and JSON, as people write them."""

import json

import cv2
import numpy as np
import pytest

from ultrasam.cli import main
from ultrasam.errors import DataError
from ultrasam.predict.files import prompt_files


def asked(path):
    found, categories = prompt_files.from_file(path)
    names = {entry["id"]: entry["name"] for entry in categories}
    return {
        file: [
            (names[category], entry.box, entry.points, entry.labels)
            for entry, category in zip(row.objects, row.categories, strict=True)
        ]
        for file, row in found.items()
    }


BOX, OTHER = [1.5, 2.0, 30.0, 40.0], [5.0, 6.0, 7.0, 8.0]
TABLES = {
    "boxes": "a.png,1.5,2,30,40\na.png,5,6,7,8\nb.png,5,6,7,8\n",
    "classes": "a.png,1.5,2,30,40,cyst\na.png,5,6,7,8,lesion\nb.png,5,6,7,8,cyst\n",
    "named": "\ufeffclass;ymax;File;xmin;ymin;xmax\r\ncyst;40;a.png;1.5;2;30\r\n\r\n"
    "lesion;8;a.png;5;6;7\r\ncyst;8;b.png;5;6;7\r\n",
    "tabs": "file\tx1\ty1\tx2\ty2\na.png\t1.5\t2\t30\t40\na.png\t5\t6\t7\t8\nb.png\t5\t6\t7\t8",
}


@pytest.mark.parametrize("kind", TABLES)
def test_boxes(kind, tmp_path):
    path = tmp_path / "prompts.txt"
    path.write_bytes(TABLES[kind].encode())
    first, second = ("cyst", "lesion") if kind in ("classes", "named") else ("object", "object")
    assert asked(path) == {
        "a.png": [(first, BOX, None, None), (second, OTHER, None, None)],
        "b.png": [(first, OTHER, None, None)],
    }


def test_points_of_an_image_are_one_object_unless_they_are_told_apart(tmp_path):
    path = tmp_path / "prompts.csv"
    path.write_text('a.png,3,4\na.png,5.5,6,0\n"b, c.png",1,2,1\n'.replace("3,4\n", "3,4,1\n"))
    assert asked(path) == {
        "a.png": [("object", None, [[3, 4], [5.5, 6]], [1, 0])],
        "b, c.png": [("object", None, [[1, 2]], [1])],
    }
    path.write_text(
        "file,object,x1,y1,x2,y2,x,y,label\na.png,1,1.5,2,30,40,,,\na.png,1,,,,,9,9,0\na.png,2,,,,,3,4,\n"
    )
    assert asked(path) == {
        "a.png": [("object", BOX, [[9, 9]], [0]), ("object", None, [[3, 4]], [1])],
    }


def test_json(tmp_path):
    path = tmp_path / "prompts.json"
    entries = [{"box": BOX, "class": "cyst"}, {"points": [[3, 4], [9, 9]], "labels": [1, 0]}]
    expected = {"a.png": [("cyst", BOX, None, None), ("object", None, [[3, 4], [9, 9]], [1, 0])]}
    for content in ({"a.png": entries}, [{"file": "a.png", **entry} for entry in entries]):
        path.write_text(json.dumps(content))
        assert asked(path) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a.png,1,2,3,4\na.png,1,2,3\n", "line 2 has 4 columns"),
        ("a.png,1,2,x,4\n", "line 1: x2 is 'x'"),
        ("a.png,1,2,nan,4\n", "line 1: x2 is nan"),
        ("a.png;1,5;2;3;4\n", "line 1: x1 is '1,5'"),
        ("a.png,5,6,5,8\n", "empty box"),
        ("a.png,1,2,2\n", "label 2; 1 is inside"),
        ("file,x,y,colour\na.png,1,2,red\n", "not known or twice there: colour"),
        ("file,x1,y1,x2,y2,x,y\na.png,1,2,,,,\n", "line 2 is no box"),
        ("file,object,x1,y1,x2,y2\na.png,1,1,2,3,4\na.png,1,1,2,3,4\n", "line 3 is a second box"),
        (",1,2,3,4\n", "names no file"),
        ("", "holds no prompts"),
        ("# nothing\n", "holds no prompts"),
        ("words\n", "has 1 columns"),
        ("[]", "holds no prompts"),
        ("[1]", "object 1 is 1"),
        ('{"a.png": [{"box": [1, 2, 3]}]}', "takes x1, y1, x2, y2"),
        ('{"a.png": [{"box": [1, 2, "3", 4]}]}', "takes a number"),
        ('{"a.png": [{"points": [[1]]}]}', "pairs x, y"),
        ('{"a.png": [{"points": [[1, 2]], "labels": [1, 1]}]}', "1 points and 2 labels"),
        ('{"a.png": [{"bbox": [1, 2, 3, 4]}]}', "'bbox', which is not known"),
        ('{"a.png": [{}]}', "no box and no points"),
        ('[{"box": [1, 2, 3, 4]}]', "'file'"),
        ('{"images": []}', "not a COCO file"),
        ("{", "not valid JSON"),
    ],
)
def test_damaged(text, said, tmp_path):
    path = tmp_path / "prompts"
    path.write_text(text)
    with pytest.raises(DataError, match=said):
        prompt_files.from_file(path)


def test_the_command_takes_them(tmp_path, tiny_weights):
    for name in ("a.png", "b.png"):
        cv2.imwrite(str(tmp_path / name), np.random.default_rng(0).integers(0, 255, (50, 60), dtype=np.uint8))
    masks = {}
    for name, text in (
        ("boxes.csv", "a.png,5,6,40,30,cyst\n"),
        ("boxes.json", '{"a.png": [{"box": [5, 6, 40, 30], "class": "cyst"}]}'),
    ):
        (tmp_path / name).write_text(text)
        out = tmp_path / name.replace(".", "_")
        command = [
            "predict",
            tmp_path / "a.png",
            tmp_path / "b.png",
            "--checkpoint",
            tiny_weights,
            "--out",
            out,
            "--quiet",
        ]
        assert main([str(word) for word in [*command, "--prompts", tmp_path / name]]) == 0
        content = json.loads((out / "predictions.json").read_text())
        assert [entry["name"] for entry in content["categories"]] == ["cyst"]
        masks[name] = [entry["segmentation"] for entry in content["annotations"]]
    assert masks["boxes.csv"] == masks["boxes.json"] and len(masks["boxes.csv"]) == 1
