"""What other packages read of our files and write for us, where they are installed; each test has a twin."""

import json
import shutil

import cv2
import numpy as np
import pytest

from tests.kit import labels
from ultrasam.data.formats import exporting, importing


def test_supervision_reads_our_yolo_and_coco(tmp_path):
    sv = pytest.importorskip(
        "supervision", reason="another reader of YOLO and COCO; test_roundtrip reads them too"
    )
    path = labels.write(tmp_path, ("one.png",))
    exporting.export(path, "yolo", tmp_path / "yolo", tmp_path / "images", tolerance=0)
    exporting.export(path, "polygons", tmp_path / "polygons.json", tmp_path / "images", tolerance=0)
    folder = tmp_path / "yolo"
    yolo = sv.DetectionDataset.from_yolo(
        str(folder / "images/train"),
        str(folder / "labels/train"),
        str(folder / "data.yaml"),
        force_masks=True,
    )
    ours = sv.DetectionDataset.from_coco(str(tmp_path / "images"), str(path), force_masks=True)
    polygons = sv.DetectionDataset.from_coco(
        str(tmp_path / "images"), str(tmp_path / "polygons.json"), force_masks=True
    )
    expected = [*labels.masks()["lesion"], *labels.masks()["cyst"]]
    for dataset, exact in ((ours, True), (yolo, False), (polygons, False)):
        ((_, _, found),) = list(dataset)
        assert dataset.classes == ["lesion", "cyst"] and found.class_id.tolist() == [0, 0, 1, 1]
        for mask, again in zip(expected, found.mask, strict=True):
            if exact:
                np.testing.assert_array_equal(again, mask)
            else:
                # It draws the outline itself, a pixel wide, and the cuts to holes and parts with it.
                grown = cv2.dilate(mask.astype(np.uint8), np.ones((3, 3))).astype(bool)
                assert not (mask & ~again).any() and (again & ~grown).sum() <= 20


def test_supervision_writes_yolo_that_we_read(tmp_path):
    sv = pytest.importorskip(
        "supervision", reason="another writer of YOLO; test_readers has its files by hand"
    )
    path = labels.write(tmp_path, ("one.png",))
    (tmp_path / "yolo").mkdir()
    sv.DetectionDataset.from_coco(str(tmp_path / "images"), str(path), force_masks=True).as_yolo(
        *(str(tmp_path / "yolo" / name) for name in ("images", "labels", "data.yaml"))
    )
    its = labels.of(importing.read(tmp_path / "yolo"))["images/one.png"]
    assert {name: len(masks) for name, masks in its.items()} == {"lesion": 3, "cyst": 2}
    # It writes outlines through the middles of pixels, half a pixel too small all around.
    blob = labels.masks()["cyst"][0]
    assert labels.border_distance(its["cyst"][0], blob) <= 1


def test_datumaro_writes_cvat_that_we_read(tmp_path):
    datumaro = pytest.importorskip(
        "datumaro", reason="another writer of CVAT's XML; test_readers has one by hand"
    )
    path = labels.write(tmp_path, ("one.png",))
    exporting.export(
        path, "polygons", tmp_path / "annotations/instances_default.json", tmp_path / "images", tolerance=0
    )
    path.unlink()
    shutil.move(tmp_path / "images", tmp_path / "default")
    (tmp_path / "images").mkdir()
    shutil.move(tmp_path / "default", tmp_path / "images/default")
    dataset = datumaro.Dataset.import_from(str(tmp_path), "coco_instances")
    dataset.export(str(tmp_path / "cvat"), "cvat", save_media=True)
    its = labels.of(importing.read(tmp_path / "cvat"))["images/one.png"]
    blob, ring = labels.masks()["cyst"][0], labels.masks()["lesion"][0]
    assert any(np.array_equal(mask, blob) for mask in its["cyst"])
    assert any(np.array_equal(mask, ring) for mask in its["lesion"])


def test_labelme_draws_our_files(tmp_path):
    shape = pytest.importorskip(
        "labelme.utils.shape", reason="its own drawing; test_roundtrip reads its files too"
    )
    path = labels.write(tmp_path, ("one.png",))
    exporting.export(path, "labelme", tmp_path / "labelme", tmp_path / "images", tolerance=0)
    content = json.loads((tmp_path / "labelme/one.json").read_text())
    found = {}
    for entry in content["shapes"]:
        mask = shape.shape_to_mask((labels.H, labels.W), entry["points"], entry["shape_type"])
        found[entry["label"]] = found.get(entry["label"], False) | mask
    for name, masks in labels.masks().items():
        mask = np.any(masks, axis=0)
        # It draws the outline too, a pixel wide, and the cuts to holes, in and out.
        grown = cv2.dilate(mask.astype(np.uint8), np.ones((3, 3))).astype(bool)
        assert (mask & ~found[name]).sum() < 0.02 * mask.sum() and (found[name] & ~grown).sum() <= 20
