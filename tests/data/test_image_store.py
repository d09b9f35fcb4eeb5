"""Images stored again: the samples are the same to the pixel, and nothing is lost on the way."""

import json
import os

import cv2
import numpy as np
import pytest

from tests.kit.pictures import noise, waves
from ultrasam.cli.main import main
from ultrasam.data import coco, image_store
from ultrasam.data.images import read_image
from ultrasam.errors import DataError


def square(number, name, size):
    entry = {"id": number, "file_name": name, "height": size[0], "width": size[1], "patient": f"p{number}"}
    shape = {"bbox": [1, 2, 4, 5], "segmentation": [[1, 2, 5, 2, 5, 7, 1, 7]], "area": 20, "iscrowd": 0}
    return entry, {"id": number, "image_id": number, "category_id": 1, **shape}


@pytest.fixture
def data(tmp_path):
    """Pictures of every kind: gray, colors, gray in three channels, with alpha, JPEGs, one of them turned."""
    folder = tmp_path / "set/images"
    (folder / "a").mkdir(parents=True)
    pictures = {
        "a/gray.png": noise(20, 30)[..., 0],
        "a/color.png": waves(20, 30),
        "equal.png": noise(21, 33),
        "alpha.png": np.dstack([waves(20, 30), noise(20, 30)[..., 0]]),
        "same.png": noise(20, 30, seed=1)[..., 0],
        "same.jpg": waves(25, 31, seed=2),
    }
    for name, picture in pictures.items():
        cv2.imwrite(str(folder / name), picture)
    from PIL import Image

    exif = Image.Exif()
    exif[274] = 6
    Image.fromarray(waves(20, 30, seed=3)).save(folder / "turned.jpg", exif=exif)
    rows = [
        square(i, name, read_image(folder / name).shape) for i, name in enumerate([*pictures, "turned.jpg"])
    ]
    content = {
        "info": {"description": "mine"},
        "images": [image for image, _ in rows],
        "annotations": [annotation for _, annotation in rows[1:]],  # one image has no object
        "categories": [{"id": 1, "name": "object"}],
    }
    (tmp_path / "set/annotations").mkdir()
    (tmp_path / "set/annotations/train.json").write_text(json.dumps(content))
    (tmp_path / "set/annotations/val.json").write_text(
        json.dumps({**content, "images": content["images"][:3], "annotations": content["annotations"][:2]})
    )
    return tmp_path / "set"


def contents(path):
    return json.loads(path.read_text())


@pytest.mark.parametrize("kind", ["raw", "webp"])
def test_pixels_and_entries_are_the_same(data, tmp_path, kind):
    files = [data / "annotations/train.json", data / "annotations/val.json"]
    found = image_store.store(files, None, tmp_path / "out", kind, workers=2)
    assert (found.images, found.kept, found.failed) == (7, 0, [])
    assert found.written == [tmp_path / "out/annotations/train.json", tmp_path / "out/annotations/val.json"]
    for path, written in zip(files, found.written, strict=True):
        before, after = contents(path), contents(written)
        assert [{**image, "file_name": ""} for image in before["images"]] == [
            {**image, "file_name": ""} for image in after["images"]
        ]
        assert before["annotations"] == after["annotations"] and before["info"] == after["info"]
        for old, new in zip(before["images"], after["images"], strict=True):
            stored = tmp_path / "out/images" / new["file_name"]
            assert np.array_equal(read_image(data / "images" / old["file_name"]), read_image(stored))
        coco.load(written, tmp_path / "out/images")
    stored = [path for path in (tmp_path / "out/images").rglob("*.*") if path.is_file()]
    assert len(stored) == 7 and found.bytes_now == sum(path.stat().st_size for path in stored)
    if kind == "raw":
        assert sum(path.suffix == ".pgm" for path in stored) == found.gray == 3


def test_what_has_not_changed_is_kept(data, tmp_path):
    files, out = [data / "annotations/train.json"], tmp_path / "out"
    image_store.store(files, None, out, "raw")
    cv2.imwrite(str(data / "images/equal.png"), noise(21, 33, seed=9))
    os.utime(data / "images/equal.png", ns=(1, 1))
    (out / "images/same.jpg.ppm").unlink()
    found = image_store.store(files, None, out, "raw")
    assert (found.images, found.kept) == (7, 5)
    assert np.array_equal(read_image(out / "images/equal.png.pgm"), noise(21, 33, seed=9))


def test_a_color_image_that_became_gray_is_not_taken_for_the_old_one(data, tmp_path):
    files, out = [data / "annotations/train.json"], tmp_path / "out"
    image_store.store(files, None, out, "raw")
    cv2.imwrite(str(data / "images/a/color.png"), noise(20, 30))
    os.utime(data / "images/a/color.png", ns=(5, 5))
    image_store.store(files, None, out, "raw")
    (name,) = [i["file_name"] for i in contents(out / "annotations/train.json")["images"] if i["id"] == 1]
    assert np.array_equal(read_image(out / "images" / name), noise(20, 30))


def test_images_that_cannot_be_read_are_named_and_no_file_says_that_all_are_there(data, tmp_path, capsys):
    (data / "images/equal.png").write_bytes(b"nothing")
    cv2.imwrite(str(data / "images/a/gray.png"), np.full((20, 30), 3000, np.uint16))
    cv2.imwrite(str(data / "images/same.png"), noise(9, 9))
    out = tmp_path / "out"
    args = ["data", "cache", str(data / "annotations/train.json"), "--out", str(out)]
    assert main(args) == 1
    told = capsys.readouterr().out
    assert all(
        name in told for name in ("equal.png is not a readable", "gray.png has 16 bits", "same.png is 9 x 9")
    )
    assert "4 images" in told and "3 images failed: no COCO file is written" in told
    assert not (out / "annotations").exists()
    for name, picture in (("equal", noise(21, 33)), ("a/gray", noise(20, 30)), ("same", noise(20, 30))):
        cv2.imwrite(str(data / f"images/{name}.png"), picture)
    assert main(args) == 0 and "7 images, 4 kept from an earlier run" in capsys.readouterr().out


def test_names_that_lead_elsewhere_are_stored_in_the_folder(data, tmp_path):
    train = data / "annotations/train.json"
    content = json.loads(train.read_text())
    names = [str(data / "images/equal.png"), "../images/same.png"]
    content["images"] = [
        {**entry, "file_name": name}
        for entry in content["images"]
        for name in names
        if entry["file_name"] == name.rsplit("/", 1)[1]
    ]
    content["annotations"] = []
    (data / "annotations/odd.json").write_text(json.dumps(content))
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    image_store.store([data / "annotations/odd.json"], None, tmp_path / "deep/out", "raw")
    stored = {path for path in tmp_path.rglob("*") if path.is_file()} - before
    assert len(stored) == 3 and all(path.is_relative_to(tmp_path / "deep/out") for path in stored)
    written = json.loads((tmp_path / "deep/out/annotations/odd.json").read_text())["images"]
    assert all((tmp_path / "deep/out/images" / entry["file_name"]).is_file() for entry in written)


def test_a_file_is_not_overwritten_by_what_is_made_of_it(data):
    train = data / "annotations/train.json"
    before = train.read_bytes()
    with pytest.raises(DataError, match=r"train\.json would be overwritten"):
        image_store.store([train], None, data, "raw")
    assert train.read_bytes() == before and not list(data.rglob("*.p?m"))


def test_what_would_be_mixed_up_is_refused(data, tmp_path):
    train = data / "annotations/train.json"
    other = tmp_path / "other/annotations/train.json"
    other.parent.mkdir(parents=True)
    other.write_text(train.read_text())
    with pytest.raises(DataError, match="several COCO files have one name"):
        image_store.store([train, other], None, tmp_path / "out", "raw")
    (tmp_path / "other/images").symlink_to(data / "images")
    renamed = other.rename(other.with_name("test.json"))
    with pytest.raises(DataError, match="have one name: store them apart"):
        image_store.store([train, renamed], None, tmp_path / "out", "raw")
    (data / "images/equal.png").unlink()
    with pytest.raises(DataError, match="1 of 7 images are missing"):
        image_store.store([train], None, tmp_path / "out", "raw")
