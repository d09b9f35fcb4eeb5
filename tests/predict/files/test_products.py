"""What is made of whole files: tables, plots, videos and label volumes."""

import csv
import json
import math

import av
import cv2
import numpy as np
import pytest
import SimpleITK

from tests.kit.fuzz_files import dicom_bytes, region
from tests.kit.pictures import noise
from ultrasam.cli.main import main
from ultrasam.predict.files.label_volume import LabelVolume
from ultrasam.predict.files.measures import Measures
from ultrasam.predict.files.overlay_video import OverlayVideo
from ultrasam.predict.files.sources import Source
from ultrasam.predict.measure import measure

RADII = [20, 24, 30, 16, 0]
SOURCE = Source(__import__("pathlib").Path("beat.dcm"), "beat.dcm")


@pytest.fixture
def beat(tmp_path):
    """Records of a clip of a disc that grows and shrinks, in pixels of 0.5 mm, and is gone in the end."""
    records = []
    for number, radius in enumerate(RADII):
        mask = np.zeros((81, 91), np.uint8)
        if radius:
            cv2.circle(mask, (45, 40), radius, 255, -1)
        name = f"beat_{number:05d}"
        for folder, picture in (("masks", mask), ("overlays", noise(81, 91, seed=number))):
            (tmp_path / folder).mkdir(exist_ok=True)
            cv2.imwrite(str(tmp_path / folder / f"{name}{'_001' * (folder == 'masks')}.png"), picture)
        image = {
            "file_name": "beat.dcm",
            "height": 81,
            "width": 91,
            "name": name,
            "frame": number,
            "time": number / 20,
        }
        entry = {
            "mask": f"masks/{name}_001.png",
            "score": 0.9,
            "spacing": [0.5, 0.5],
            "spacing_source": "PixelSpacing",
        }
        records.append({"image": image, "annotations": [entry]})
    return records


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_sizes_over_time(tmp_path, beat):
    product = Measures(tmp_path)
    (tmp_path / "measures.csv").write_text("of an earlier run")
    product.make(SOURCE, "beat", beat)
    product.make(SOURCE, "again", beat[:1])
    found = rows(tmp_path / "measures.csv")
    assert len(found) == 6 and [row["time_s"] for row in found[:2]] == ["0.0", "0.05"]
    mask = cv2.imread(str(tmp_path / beat[2]["annotations"][0]["mask"]), 0) > 0
    size = measure(mask, (0.5, 0.5))
    assert float(found[2]["area"]) == pytest.approx(size.area_mm2) and found[2]["unit"] == "mm"
    assert float(found[2]["long"]) == pytest.approx(size.long_mm, abs=1e-3)
    assert float(found[2]["ellipse_circumference"]) == pytest.approx(2 * math.pi * 15.25, rel=0.02)
    assert found[2]["spacing_source"] == "PixelSpacing" and found[4]["ellipse_major"] == ""
    (clip,) = rows(tmp_path / "measures_clips.csv")
    assert (clip["largest_frame"], clip["smallest_frame"], clip["frames_empty"]) == ("2", "3", "1")
    areas = [float(row["area"]) for row in found]
    assert float(clip["fractional_area_change"]) == pytest.approx(1 - areas[3] / areas[2], abs=1e-4)
    assert "area in mm²" in (tmp_path / "curves/beat.svg").read_text()


def test_objects_that_are_not_followed_have_no_curve(tmp_path, beat):
    Measures(tmp_path, tracked=False).make(SOURCE, "beat", beat)
    assert len(rows(tmp_path / "measures.csv")) == 5 and not (tmp_path / "curves").exists()


def test_followed_objects_keep_their_numbers_when_another_is_lost(tmp_path, beat):
    """The first object is lost in frames 1 and 2, where the second is the only one."""
    squares = {1: 6, 2: 20}
    for number, record in enumerate(beat):
        lost = [1] if number in (1, 2) else []
        record["image"]["lost"], record["annotations"] = lost, []
        for track, side in squares.items():
            if track not in lost:
                mask = np.zeros((81, 91), np.uint8)
                mask[30 : 30 + side, 40 * track - 40 : 40 * track - 40 + side] = 255
                name = f"masks/t{number}_{track}.png"
                cv2.imwrite(str(tmp_path / name), mask)
                record["annotations"].append({"mask": name, "track_id": track})
    Measures(tmp_path).make(SOURCE, "beat", beat)
    areas = {(row["frame"], row["object"]): float(row["area"]) for row in rows(tmp_path / "measures.csv")}
    assert len(areas) == 8 and {area for (_, track), area in areas.items() if track == "2"} == {400}
    clips = rows(tmp_path / "measures_clips.csv")
    assert [(c["object"], c["frames"], c["frames_empty"]) for c in clips] == [
        ("1", "5", "2"),
        ("2", "5", "0"),
    ]
    assert [float(clip["fractional_area_change"]) for clip in clips] == [0, 0]

    SimpleITK.WriteImage(
        SimpleITK.GetImageFromArray(np.zeros((5, 81, 91), np.uint8)), str(tmp_path / "v.mha")
    )
    LabelVolume(tmp_path, "z").make(Source(tmp_path / "v.mha", "v.mha"), "v", beat)
    labels = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(tmp_path / "volumes/v.mha")))
    assert [(labels == 2)[z].sum() for z in range(5)] == [400] * 5
    assert [(labels == 1)[z].sum() for z in range(5)] == [36, 0, 0, 36, 36]


def test_overlay_videos(tmp_path, beat):
    OverlayVideo(tmp_path).make(SOURCE, "beat", beat)
    with av.open(str(tmp_path / "videos/beat.mp4")) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.pix_fmt == "yuv420p" and (stream.width, stream.height) == (92, 82)
        frames = list(container.decode(stream))
    assert [frame.time for frame in frames] == pytest.approx([0, 0.05, 0.1, 0.15, 0.2])
    for number, frame in enumerate(frames):
        truth = cv2.blur(noise(81, 91, seed=number), (9, 9)).astype(int)
        shown = cv2.blur(frame.to_ndarray(format="rgb24"), (9, 9))[:81, :91]
        assert np.abs(shown - truth).mean() < 12


def test_from_the_command_line(tiny_weights, tmp_path):
    image = SimpleITK.GetImageFromArray(noise(48, 64)[None, ..., 0].repeat(3, axis=0))
    image.SetSpacing((0.2, 0.3, 2))
    SimpleITK.WriteImage(image, str(tmp_path / "v.nrrd"))
    beat = noise(48, 64)[None, ..., 0].repeat(2, axis=0)
    (tmp_path / "c.dcm").write_bytes(
        dicom_bytes(beat, FrameTime="20", SequenceOfUltrasoundRegions=[region()])
    )
    out = tmp_path / "out"
    args = [
        "predict",
        tmp_path / "v.nrrd",
        tmp_path / "c.dcm",
        "--checkpoint",
        tiny_weights,
        "--box",
        "5,5,40,30",
    ]
    assert (
        main([*map(str, [*args, "--out", out, "--measures", "--video", "--quiet", "--device", "cpu"])]) == 0
    )
    found = json.loads((out / "predictions.json").read_text())
    told = {entry["spacing_source"] for entry in found["annotations"]}
    assert told == {"volume", "ultrasound region 0"}
    assert [i.get("time") for i in found["images"]] == [None, None, None, 0.0, 0.02]
    assert {p.name for p in (out / "videos").iterdir()} == {"v.mp4", "c.mp4"}
    labels = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(out / "volumes/v.nrrd")))
    assert labels.shape == (3, 48, 64)
    for number in range(3):
        mask = cv2.imread(str(out / f"masks/v_{number:05d}_001.png"), 0) > 0
        assert np.array_equal(labels[number] == 1, mask)
    assert len(rows(out / "measures.csv")) == 5
