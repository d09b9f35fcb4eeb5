"""``ultrasam predict`` on pictures, COCO boxes, DICOM and video."""

import json

import cv2
import numpy as np
import pytest
from pycocotools.coco import COCO

from tests.kit.annotating import make_clip
from tests.kit.pictures import noise
from tests.kit.scans import write_scan
from ultrasam.cli.main import main


@pytest.fixture
def folder(tmp_path):
    for i, name in enumerate(("a.png", "b.png", "sub/a.png")):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), noise(seed=i))
    return tmp_path / "in"


def predict(*args):
    return main(["predict", *map(str, args), "--quiet", "--device", "cpu"])


def test_folder_to_coco_masks_overlays(folder, tiny_weights, tmp_path, capsys):
    out = tmp_path / "out"
    assert (
        predict(
            folder, "--checkpoint", tiny_weights, "--box", "20,10,90,70", "--box", "5,5,40,40", "--out", out
        )
        == 0
    )
    assert "3 images segmented, 6 objects" in capsys.readouterr().out
    coco = COCO(out / "predictions.json")
    assert [i["file_name"] for i in coco.dataset["images"]] == ["a.png", "b.png", "sub/a.png"]
    assert len(coco.dataset["annotations"]) == 6
    for entry in coco.dataset["annotations"]:
        drawn = cv2.imread(str(out / entry["mask"]), cv2.IMREAD_UNCHANGED)
        assert drawn.shape == (90, 140) and set(np.unique(drawn)) <= {0, 255}
        assert np.array_equal(drawn > 0, coco.annToMask(entry) > 0) and (drawn > 0).sum() == entry["area"]
    assert len(list((out / "overlays").rglob("*.png"))) == 3


def test_started_again_it_goes_on(folder, tiny_weights, tmp_path, capsys):
    args = (
        folder,
        "--checkpoint",
        tiny_weights,
        "--point",
        "50,40",
        "--point",
        "9,9,0",
        "--out",
        tmp_path / "out",
    )
    predict(*args)
    first = (tmp_path / "out" / "predictions.json").read_bytes()
    (tmp_path / "out" / "records" / "b.json").unlink()
    capsys.readouterr()
    predict(*args)
    assert "1 images segmented, 1 objects, 2 kept" in capsys.readouterr().out
    assert (tmp_path / "out" / "predictions.json").read_bytes() == first
    predict(*args, "--refine", "1")
    assert "3 images segmented" in capsys.readouterr().out


def test_boxes_of_a_coco_file(folder, tiny_weights, tmp_path, capsys):
    boxes = {
        "images": [{"id": 7, "file_name": "a.png"}, {"id": 9, "file_name": "sub/a.png"}],
        "annotations": [
            {"id": 1, "image_id": 7, "category_id": 3, "bbox": [10, 10, 50, 40], "score": 0.9},
            {"id": 2, "image_id": 7, "category_id": 4, "bbox": [60, 20, 30, 30], "score": 0.1},
            {"id": 3, "image_id": 9, "category_id": 4, "bbox": [60, 20, 30, 30]},
        ],
        "categories": [{"id": 3, "name": "cyst"}, {"id": 4, "name": "node"}],
    }
    (tmp_path / "boxes.json").write_text(json.dumps(boxes))
    args = ("--prompts", tmp_path / "boxes.json", "--min-score", 0.5, "--out", tmp_path / "out")
    assert predict(folder, "--checkpoint", tiny_weights, *args) == 0
    found = json.loads((tmp_path / "out" / "predictions.json").read_text())
    assert [(a["image_id"], a["category_id"]) for a in found["annotations"]] == [(1, 3), (2, 4)]
    assert found["categories"] == boxes["categories"]
    assert "1 without prompts" in capsys.readouterr().out
    (tmp_path / "none.json").write_text(json.dumps(boxes | {"images": [], "annotations": []}))
    assert (
        predict(folder, "--checkpoint", tiny_weights, "--prompts", tmp_path / "none.json", "--out", tmp_path)
        == 2
    )
    assert "file_name" in capsys.readouterr().err


def test_a_damaged_file_does_not_stop_the_others(folder, tiny_weights, tmp_path, capsys):
    (folder / "broken.png").write_bytes(b"not a picture")
    code = predict(
        folder,
        "--checkpoint",
        tiny_weights,
        "--object",
        "box=9,9,80,70 point=20,30,0",
        "--out",
        tmp_path / "o",
    )
    printed = capsys.readouterr()
    assert code == 1 and "3 images segmented" in printed.out and "broken.png" in printed.err


def dicom(path, frames, kind="MONOCHROME2", regions=(), **tags):
    import pydicom
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid

    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.3.1"
    meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset = Dataset()
    dataset.file_meta = meta
    dataset.SOPClassUID, dataset.SOPInstanceUID = (
        meta.MediaStorageSOPClassUID,
        meta.MediaStorageSOPInstanceUID,
    )
    dataset.Modality = "US"
    if frames is not None:
        dataset.Rows, dataset.Columns = frames.shape[1:3]
        dataset.SamplesPerPixel = 3 if frames.ndim == 4 else 1
        if frames.ndim == 4:
            dataset.PlanarConfiguration = 0
        dataset.PhotometricInterpretation = kind
        dataset.BitsAllocated = dataset.BitsStored = frames.dtype.itemsize * 8
        dataset.HighBit, dataset.PixelRepresentation = dataset.BitsStored - 1, 0
        if len(frames) > 1:
            dataset.NumberOfFrames = len(frames)
        dataset.PixelData = frames.tobytes()
    items = []
    for box, delta, units, form in regions:
        item = Dataset()
        item.RegionSpatialFormat, item.RegionDataType, item.RegionFlags = form, 1, 0
        (
            item.RegionLocationMinX0,
            item.RegionLocationMinY0,
            item.RegionLocationMaxX1,
            item.RegionLocationMaxY1,
        ) = box
        item.PhysicalUnitsXDirection = item.PhysicalUnitsYDirection = units
        item.PhysicalDeltaX, item.PhysicalDeltaY = delta
        items.append(item)
    if items:
        dataset.SequenceOfUltrasoundRegions = items
    for name, value in tags.items():
        setattr(dataset, name, value)
    pydicom.dcmwrite(path, dataset, enforce_file_format=True)
    return path


def test_dicom_clip_with_spacing(tiny_weights, tmp_path):
    clip = np.stack([noise(seed=i)[..., 0] for i in range(3)])
    regions = [((0, 0, 139, 89), (0.02, 0.03), 3, 1), ((0, 0, 139, 89), (0.5, 0.5), 4, 2)]
    path = dicom(tmp_path / "clip.dcm", clip, regions=regions)
    assert predict(path, "--checkpoint", tiny_weights, "--box", "20,10,90,70", "--out", tmp_path / "o") == 0
    found = json.loads((tmp_path / "o" / "predictions.json").read_text())
    assert [i["frame"] for i in found["images"]] == [0, 1, 2]
    for entry in found["annotations"]:
        assert entry["area_mm2"] == pytest.approx(entry["area"] * 0.2 * 0.3, abs=1e-3)
    # The same as the single pictures.
    for i in range(3):
        cv2.imwrite(str(tmp_path / f"{i}.png"), clip[i])
        predict(
            tmp_path / f"{i}.png",
            "--checkpoint",
            tiny_weights,
            "--box",
            "20,10,90,70",
            "--out",
            tmp_path / "p",
        )
        alone = json.loads((tmp_path / "p" / "predictions.json").read_text())["annotations"][0]
        assert alone["segmentation"] == found["annotations"][i]["segmentation"]


def test_dicom_colors_and_depths(tmp_path):
    from ultrasam.predict.files import dicom as reader

    red = np.zeros((1, 8, 8, 3), np.uint8)
    red[..., 0] = 200
    ycbcr = cv2.cvtColor(red[0], cv2.COLOR_RGB2YCrCb)[None, :, :, [0, 2, 1]]
    assert np.array_equal(reader.open_clip(dicom(tmp_path / "rgb.dcm", red, "RGB")).read(0), red[0])
    converted = reader.open_clip(dicom(tmp_path / "ybr.dcm", np.ascontiguousarray(ycbcr), "YBR_FULL")).read(0)
    assert np.abs(converted.astype(int) - red[0]).max() <= 2
    gray = (np.arange(64).reshape(1, 8, 8) * 4).astype(np.uint8)
    inverted = reader.open_clip(dicom(tmp_path / "inv.dcm", gray, "MONOCHROME1")).read(0)
    assert np.array_equal(inverted[..., 0], 255 - gray[0])
    deep = dicom(tmp_path / "deep.dcm", gray.astype(np.uint16) * 16, WindowCenter=1024, WindowWidth=2048)
    assert reader.open_clip(deep).read(0)[0, :3, 0].tolist() == [0, 8, 16]
    assert reader.open_clip(deep).read(0, (0, 64 * 16))[1, 7, 0] == 239


def test_spacing_of_regions(tmp_path):
    from ultrasam.predict.files import dicom as reader

    regions = [((0, 0, 49, 89), (0.02, 0.02), 3, 1), ((60, 0, 139, 89), (0.01, 0.01), 3, 1)]
    clip = reader.open_clip(dicom(tmp_path / "two.dcm", noise()[None, ..., 0], regions=regions))
    assert clip.calibration((5, 5, 40, 40)) == pytest.approx((0.2, 0.2))
    assert clip.calibration((70, 5, 140, 90)) == pytest.approx((0.1, 0.1))
    # Across both: no length is true.
    assert clip.calibration((40, 5, 70, 40)) is None
    plain = reader.open_clip(dicom(tmp_path / "ps.dcm", noise()[None, ..., 0], PixelSpacing=[0.3, 0.2]))
    assert plain.calibration((0, 0, 9, 9)) == (0.2, 0.3)


def test_video_and_follow(tiny_weights, tmp_path):
    path = tmp_path / "clip.avi"
    make_clip(path, 3, (90, 140))
    args = (path, "--checkpoint", tiny_weights, "--box", "20,10,90,70", "--spacing", "0.2,0.2")
    assert predict(*args, "--out", tmp_path / "a") == 0
    assert predict(*args, "--follow", "--out", tmp_path / "b") == 0
    plain, followed = (
        json.loads((tmp_path / n / "predictions.json").read_text())["annotations"] for n in "ab"
    )
    assert len(plain) == len(followed) == 3 and "area_mm2" in plain[0]
    assert plain[0]["segmentation"] == followed[0]["segmentation"]
    assert plain[1]["segmentation"] != followed[1]["segmentation"]
    assert [entry["track_id"] for entry in followed] == [1, 1, 1] and "drift" in followed[1]
    assert all(
        image["lost"] == [] for image in json.loads((tmp_path / "b/predictions.json").read_text())["images"]
    )


def test_what_is_found_is_followed(tiny_weights, tmp_path):
    make_clip(tmp_path / "clip.avi", 3, (90, 140))
    args = (tmp_path / "clip.avi", "--checkpoint", tiny_weights, "--auto", "--auto-points", "2")
    assert predict(*args, "--auto-min-iou", "0", "--follow", "--measures", "--out", tmp_path / "out") == 0
    found = json.loads((tmp_path / "out/predictions.json").read_text())
    first = {entry["track_id"] for entry in found["annotations"] if entry["image_id"] == 1}
    assert first
    for image in found["images"]:
        here = [entry["track_id"] for entry in found["annotations"] if entry["image_id"] == image["id"]]
        assert sorted(here + image["lost"]) == sorted(first)
    assert (tmp_path / "out/measures_clips.csv").is_file()


def test_a_series_is_followed_into_one_segmentation(tiny_weights, tmp_path, capsys):
    uids = {"SeriesInstanceUID": "1.2.3", "StudyInstanceUID": "1.2"}
    (tmp_path / "in").mkdir()
    for number, name in enumerate("ca", start=1):
        still = noise(48, 64, seed=number)[..., 0]
        write_scan(tmp_path / f"in/{name}.dcm", still, InstanceNumber=number, **uids)
    args = (tmp_path / "in", "--checkpoint", tiny_weights, "--box", "5,5,40,30", "--dicom-seg")
    assert predict(*args, "--follow", "--out", tmp_path / "out") == 0
    images = json.loads((tmp_path / "out/predictions.json").read_text())["images"]
    assert [(i["file_name"], i["frame"]) for i in images] == [("c.dcm", 0), ("c.dcm", 1)]
    assert [path.name for path in (tmp_path / "out/dicom").iterdir()] == ["c.seg.dcm"]
    # With prompts of one file, from there on.
    (tmp_path / "boxes.csv").write_text("a.dcm,5,5,40,30,cyst\n")
    prompted = (
        tmp_path / "in",
        "--checkpoint",
        tiny_weights,
        "--prompts",
        tmp_path / "boxes.csv",
        "--follow",
    )
    assert predict(*prompted, "--out", tmp_path / "late") == 0
    found = json.loads((tmp_path / "late/predictions.json").read_text())
    assert [(i["file_name"], i["frame"]) for i in found["images"]] == [("c.dcm", 1)]
    (tmp_path / "boxes.csv").write_text("c.dcm,5,5,40,30,cyst\n")
    assert predict(*prompted, "--out", tmp_path / "first") == 0
    found = json.loads((tmp_path / "first/predictions.json").read_text())
    assert [(i["file_name"], i["frame"]) for i in found["images"]] == [("c.dcm", 0), ("c.dcm", 1)]
    assert {entry["track_id"] for entry in found["annotations"]} == {1}
    (tmp_path / "boxes.csv").write_text("c.dcm,5,5,40,30,cyst\na.dcm,5,5,40,30,cyst\n")
    assert predict(*prompted, "--out", tmp_path / "both") == 2
    assert "2 files of one series have prompts (c.dcm, a.dcm)" in capsys.readouterr().err
    # Without --follow each file has its own.
    assert predict(*args, "--out", tmp_path / "each") == 0
    assert len(list((tmp_path / "each/dicom").iterdir())) == 2
