"""Labels of images: what is read, and every way in which a file can be wrong."""

import json

import numpy as np
import pytest

from ultrasam.data.images import write_image
from ultrasam.downstream.labels import read_labels
from ultrasam.errors import ConfigError, DataError

NAMES = ("benign", "malignant")


@pytest.fixture
def images(tmp_path):
    for name in "abcd":
        write_image(tmp_path / f"{name}.png", np.zeros((8, 10, 3), np.uint8))
    return tmp_path


def coco_file(folder, *objects, categories=NAMES, fields=None):
    """Objects as (image number, category id, area)."""
    content = {
        "images": [
            {"id": i, "file_name": f"{name}.png", "width": 10, "height": 8, **(fields or {}).get(i, {})}
            for i, name in enumerate("abcd", 1)
        ],
        "categories": [{"id": i, "name": name} for i, name in enumerate(categories, 1)],
        "annotations": [
            {"id": n, "image_id": image, "category_id": category, "area": area}
            for n, (image, category, area) in enumerate(objects, 1)
        ],
    }
    path = folder / "labels.json"
    path.write_text(json.dumps(content))
    return path


def table(folder, text):
    path = folder / "labels.csv"
    path.write_text(text)
    return path


def test_the_class_of_an_image_is_that_of_its_largest_objects(images):
    path = coco_file(images, (1, 1, 10), (2, 2, 10), (3, 1, 6), (3, 2, 10), (3, 1, 6))
    found = read_labels(path, images)
    assert found.names == NAMES
    assert found.targets.tolist() == [[1, 0], [0, 1], [1, 0]]
    assert "1 images without a label" in found.summary()
    assert "1 images with objects of several classes" in found.summary()
    several = read_labels(path, images, "multi-label")
    assert several.targets.tolist() == [[1, 0], [0, 1], [1, 1], [0, 0]]


def test_a_table_with_clips_and_several_labels(images):
    path = table(images, "file,clip,labels\na.png,v1,benign|malignant\nb.png,v1,benign\nc.png,,1\n")
    found = read_labels(path, images, "multi-label", names=NAMES)
    assert found.targets.tolist() == [[1, 1], [1, 0], [0, 1]]
    assert [sample.clip for sample in found.samples] == ["v1", "v1", "c.png"]
    # Without names the file's own, sorted.
    path = table(images, "file,labels\na.png,z\nb.png,y\n")
    assert read_labels(path, images).names == ("y", "z")


def test_numbers_from_a_table_and_from_image_fields(images):
    path = table(images, "file,age,ef\na.png,40,55.5\nb.png,50,60\n")
    found = read_labels(path, images, "regression", names=("age", "ef"), limits=(0, 100))
    assert found.targets.tolist() == [[40, 55.5], [50, 60]]
    assert "age 40 to 50" in found.summary()
    path = coco_file(images, (1, 1, 5), fields={i: {"share": 10.0 * i} for i in range(1, 5)})
    assert read_labels(path, images, "regression", column="share").targets[:, 0].tolist() == [10, 20, 30, 40]


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        ("file,labels\na.png,odd\n", {}, "line 2 has label 'odd', which is none of the classes"),
        ("file,labels\na.png,0\nb.png,2\n", {}, "line 3 has label 2, outside of 0 to 1"),
        ("file,labels\na.png,-1\n", {}, "label -1, outside"),
        ("file,labels\na.png,benign|malignant\n", {}, "2 labels .* multi-label"),
        ("file,kind\na.png,benign\n", {}, "no column 'labels'"),
        ("image,labels\na.png,benign\n", {}, "no column 'file'"),
        ("file,labels\n", {}, "lists no image"),
        ("file,labels\na.png,\n", {}, "no labeled image"),
        ("file,labels\nnone.png,benign\n", {}, "1 of 1 images are missing"),
    ],
)
def test_tables_that_are_wrong(images, text, options, words):
    with pytest.raises(DataError, match=words):
        read_labels(table(images, text), images, names=NAMES, **options)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("150", "outside of 0 to 100"),
        ("nan", "outside of 0 to 100"),
        ("old", "'old' for 'age'"),
        ("", "a number"),
    ],
)
def test_numbers_out_of_range(images, value, words):
    path = table(images, f"file,age\na.png,30\nb.png,{value}\n")
    with pytest.raises(DataError, match=words) as error:
        read_labels(path, images, "regression", names=["age"], limits=(0, 100))
    assert "line 3" in str(error.value)


def test_classes_that_do_not_match(images):
    path = coco_file(images, (1, 1, 5), (2, 2, 5))
    with pytest.raises(DataError, match="no class cancer; its classes are benign, malignant"):
        read_labels(path, images, names=("benign", "cancer"))
    with pytest.raises(ConfigError, match="different names"):
        read_labels(path, images, names=("benign", "benign"))
    with pytest.raises(DataError, match="annotation 1 has category 7, which the file does not define: 1, 2"):
        read_labels(coco_file(images, (1, 7, 5)), images)
    with pytest.raises(ConfigError, match="unknown task"):
        read_labels(path, images, "segmentation")
    with pytest.raises(DataError, match="no table"):
        read_labels(images / "none.csv", images)


def test_splits_that_cannot_be_trained_on(images):
    with pytest.raises(DataError, match="no image of malignant"):
        read_labels(coco_file(images, (1, 1, 5), (2, 1, 5)), images).check_trainable()
    with pytest.raises(DataError, match="one image"):
        read_labels(table(images, "file,labels\na.png,benign\n"), images).check_trainable()
    path = table(images, "file,age\na.png,30\nb.png,30\n")
    with pytest.raises(DataError, match="age is the same"):
        read_labels(path, images, "regression", names=["age"]).check_trainable()
