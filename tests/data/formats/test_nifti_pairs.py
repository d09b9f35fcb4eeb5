"""NIfTI label maps beside NIfTI images or pictures become COCO files."""

import gzip
import json
from collections import Counter

import cv2
import numpy as np
import pytest

from tests.kit import labels
from ultrasam.cli import main
from ultrasam.data.formats import exporting, importing
from ultrasam.data.images import read_image
from ultrasam.errors import DataError

nibabel = pytest.importorskip("nibabel", reason="nibabel (extra 'formats') is not installed")
W, H, N = 40, 30, 3


def save(path, volume, zooms=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nibabel.Nifti1Image(volume, np.diag([*(zooms or (1, 1, 1)), 1]))
    image.header.set_xyzt_units("mm" if zooms else "unknown")
    nibabel.save(image, path)


def gray():
    return np.random.default_rng(0).integers(0, 256, (W, H, N)).astype(np.uint8)


def map_of():
    """Class 1 in slices 0 and 1, two parts in the first; class 2 in slice 1; slice 2 is empty."""
    volume = np.zeros((W, H, N), np.int16)
    volume[2:9, 3:6, 0] = volume[20:30, 10:22, 0] = volume[5:15, 5:9, 1] = 1
    volume[30:38, 1:29, 1] = 2
    return volume


@pytest.mark.parametrize(
    ("image", "mask"),
    [
        ("imagesTr/case_0000.nii.gz", "labelsTr/case.nii.gz"),
        ("images/case.nii", "masks/case.nii.gz"),
        ("case.nii.gz", "case_seg.nii.gz"),
    ],
)
def test_slices_become_images(tmp_path, image, mask):
    save(tmp_path / "in" / image, gray(), (0.2, 0.3, 1))
    save(tmp_path / "in" / mask, map_of())
    imported = importing.read(tmp_path / "in")
    imported.write(tmp_path / "out/mine.json")
    assert imported.folder == tmp_path / "out/mine_images" and "nifti, 3 images with 4 objects" in str(
        imported.summary()
    )
    content = json.loads((tmp_path / "out/mine.json").read_text())
    assert [c["name"] for c in content["categories"]] == ["class 1", "class 2"]
    for number, entry in enumerate(content["images"]):
        assert (entry["height"], entry["width"]) == (H, W) and entry["subject"] == image.split(".")[0]
        np.testing.assert_array_equal(
            read_image(imported.folder / entry["file_name"])[..., 0], gray()[..., number].T
        )
    assert main(["data", "check", str(tmp_path / "out/mine.json"), "--images", str(imported.folder)]) == 0
    found = labels.of(imported)
    first, second, third = found.values()
    assert [mask.sum() for mask in first["class 1"]] == [21, 120] and third == {}
    np.testing.assert_array_equal(second["class 2"][0], map_of()[..., 1].T == 2)


@pytest.mark.parametrize(
    "said", [{"background": 0, "cyst": 1, "bone": 2}, {"0": "background", "1": "cyst", "2": "bone"}]
)
def test_nnunet_names_its_classes(tmp_path, said):
    save(tmp_path / "imagesTr/case_0000.nii.gz", gray())
    save(tmp_path / "labelsTr/case.nii.gz", map_of())
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": said, "numTraining": 1}))
    content = importing.read(tmp_path).content
    names = {category["id"]: category["name"] for category in content["categories"]}
    found = Counter(names[annotation["category_id"]] for annotation in content["annotations"])
    assert found == {"cyst": 3, "bone": 1}
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": [1]}))
    with pytest.raises(DataError, match="dataset.json: 'labels' is "):
        importing.read(tmp_path)


def test_what_was_exported_comes_back(tmp_path):
    path = labels.write(tmp_path / "data")
    content = json.loads(path.read_text())
    content["images"][0]["spacing"] = [0.2, 0.5]
    path.write_text(json.dumps(content))
    exporting.export(path, "nifti", tmp_path / "out", tmp_path / "data/images", objects=True)
    imported = importing.read(tmp_path / "out", tmp_path / "data/images")
    entries = {entry["file_name"]: entry for entry in imported.content["images"]}
    assert (
        entries["one.png"]["spacing"] == pytest.approx([0.2, 0.5])
        and "spacing" not in entries["deep/two.png"]
    )
    for its in labels.of(imported).values():
        for name, masks in labels.masks().items():
            np.testing.assert_array_equal(its[name], masks)


def cut(path):
    path.write_bytes(path.read_bytes()[:-60])


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda f: cut(f / "masks/a.nii.gz"), r"masks/a\.nii\.gz is no readable NIfTI file"),
        (lambda f: (f / "images/a.nii.gz").write_bytes(b"no"), r"images/a\.nii\.gz is no readable NIfTI"),
        (lambda f: (f / "images/a.nii.gz").write_bytes(gzip.compress(b"no" * 300)), "is no readable NIfTI"),
        (
            lambda f: save(f / "images/a.nii.gz", gray()[:, :, :2]),
            r"40 x 30 x 3 voxels, its image 40 x 30 x 2",
        ),
        (lambda f: save(f / "images/a.nii.gz", gray() * 4.0), "values from 0 to 1020; which gray values"),
        (lambda f: save(f / "masks/a.nii.gz", map_of() * 0.5), "holds fractions"),
        (lambda f: save(f / "masks/a.nii.gz", -map_of()), "negative values"),
        (lambda f: save(f / "masks/a.nii.gz", np.zeros((4, 4, 2, 5), np.int16)), "it takes gray volumes"),
        (lambda f: (f / "images/a.nii.gz").rename(f / "images/b.nii.gz"), "has no image of its name below"),
    ],
)
def test_what_cannot_be_taken(tmp_path, spoil, said):
    save(tmp_path / "images/a.nii.gz", gray())
    save(tmp_path / "masks/a.nii.gz", map_of())
    spoil(tmp_path)
    with pytest.raises(DataError, match=said):
        importing.read(tmp_path)


def test_pictures_and_volumes_are_not_mixed(tmp_path):
    save(tmp_path / "images/a.nii.gz", gray())
    save(tmp_path / "masks/a.nii.gz", map_of())
    cv2.imwrite(str(tmp_path / "images/b.png"), np.zeros((H, W), np.uint8))
    save(tmp_path / "masks/b.nii.gz", map_of()[..., :1])
    with pytest.raises(DataError, match="some images are NIfTI and others pictures"):
        importing.read(tmp_path)
    save(tmp_path / "masks/b.nii.gz", map_of())
    with pytest.raises(DataError, match=r"has 3 slices, and its image .*b\.png is a single picture"):
        importing.read(tmp_path)
