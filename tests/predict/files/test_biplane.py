"""Volumes of bodies that two files show in two planes, against ellipsoids."""

import csv
import json
import math
from pathlib import Path

import numpy as np
import pytest

from tests.kit.fuzz_files import dicom_bytes, region
from tests.kit.pictures import noise
from ultrasam.cli.main import main
from ultrasam.data import images
from ultrasam.errors import DataError
from ultrasam.predict.files.biplane import Biplane
from ultrasam.predict.files.sources import Source
from ultrasam.predict.shape import discs_volume

SPACING = (0.5, 0.4)
#: Semi-axes in mm of a body in three frames: along, and across in each of the planes.
BODY = ((40, 20, 15), (44, 24, 18), (36, 12, 10))


def cut(long, across, turn):
    """An ellipse of semi-axes in mm."""
    y, x = np.mgrid[:300, :300] + 0.5
    x, y = (x - 150) * SPACING[0], (y - 150) * SPACING[1]
    along, aside = x * math.cos(turn) + y * math.sin(turn), y * math.cos(turn) - x * math.sin(turn)
    return (along / long) ** 2 + (aside / across) ** 2 <= 1


def plane(out, name, masks, *, spacing=SPACING, still=False):
    """Records of one object, a frame each mask, with its masks in the folder."""
    records = []
    (out / "masks").mkdir(exist_ok=True)
    for frame, mask in enumerate(masks):
        file = f"masks/{name}_{frame}.png"
        (out / file).write_bytes(images.encode_mask(mask))
        area = int(mask.sum())
        entry = {"mask": file, "area": area, "spacing_source": "none: M-mode"}
        if spacing:
            size = spacing[0] * spacing[1]
            entry |= {"spacing": list(spacing), "area_mm2": area * size, "spacing_source": "PixelSpacing"}
        records.append({"image": {} if still else {"frame": frame}, "annotations": [entry]})
    return records


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def source(name):
    """One of the two files."""
    return Source(Path(name), name)


def test_an_ellipsoid_that_beats(tmp_path):
    """The largest and the smallest frame of each plane, whichever they are; ml of 4/3 pi a b c."""
    product = Biplane(tmp_path)
    order = [2, 0, 1]
    product.make(source("a"), "a", plane(tmp_path, "a", [cut(a, b, 0.3) for a, b, _ in BODY]))
    assert product.lacks() == (
        "biplane.csv is not written: there are results of a alone, a volume takes both planes"
    )
    masks = [cut(BODY[i][0], BODY[i][2], 1.2) for i in order]
    product.make(source("b"), "b", plane(tmp_path, "b", masks))
    (row,) = rows(tmp_path / "biplane.csv")
    assert product.lacks() is None and product.made == ["biplane.csv"]
    assert (row["object"], row["file"], row["other_file"]) == ("1", "a", "b")
    frames = [row[f"{which}_{end}"] for which in ("largest", "smallest") for end in ("frame", "other_frame")]
    assert frames == ["1", "2", "2", "0"]
    largest, smallest = (4 / 3 * math.pi * math.prod(BODY[i]) / 1000 for i in (1, 2))
    assert float(row["largest_ml"]) == pytest.approx(largest, rel=0.01)
    assert float(row["smallest_ml"]) == pytest.approx(smallest, rel=0.01)
    assert float(row["fractional_volume_change"]) == pytest.approx(1 - smallest / largest, abs=0.01)


def test_stills_have_one_phase(tmp_path):
    product = Biplane(tmp_path)
    for name, across in (("a", 20), ("b", 15)):
        product.make(source(name), name, plane(tmp_path, name, [cut(40, across, 0.0)], still=True))
    (row,) = rows(tmp_path / "biplane.csv")
    assert float(row["largest_ml"]) == pytest.approx(4 / 3 * math.pi * 40 * 20 * 15 / 1000, rel=0.01)
    assert row["smallest_ml"] == row["fractional_volume_change"] == row["largest_frame"] == ""


def test_what_can_not_be_measured_is_named_and_the_rest_written(tmp_path):
    product = Biplane(tmp_path)
    first = plane(tmp_path, "a", [cut(40, 20, 0.0)])
    lone = plane(tmp_path, "c", [cut(30, 20, 0.0)])[0]["annotations"]
    unsized = plane(tmp_path, "d", [cut(30, 20, 0.0)], spacing=None)[0]["annotations"]
    first[0]["annotations"] += [*unsized, *lone]
    product.make(source("a"), "a", first)
    second = plane(tmp_path, "b", [cut(40, 15, 0.0)])
    second[0]["annotations"] += lone
    with pytest.raises(DataError) as error:
        product.make(source("b"), "b", second)
    assert "size of pixels at object 2 of a is not known (none: M-mode)" in str(error.value)
    assert "object 3 is seen in one of the planes alone" in str(error.value)
    assert [row["object"] for row in rows(tmp_path / "biplane.csv")] == ["1"]


def test_from_the_command_line(tiny_weights, tmp_path, capsys):
    for name, seed in (("four.dcm", 1), ("two.dcm", 2)):
        frames = np.stack([noise(48, 64, seed=seed + i)[..., 0] for i in range(2)])
        (tmp_path / name).write_bytes(dicom_bytes(frames, SequenceOfUltrasoundRegions=[region()]))
    (tmp_path / "planes.csv").write_text("four.dcm,5,5,40,30,lv\ntwo.dcm,10,8,50,40,lv\n")
    files = [str(tmp_path / name) for name in ("four.dcm", "two.dcm")]
    more = ["--checkpoint", str(tiny_weights), "--out", str(tmp_path / "out"), "--quiet", "--device", "cpu"]
    args = ["predict", *files, "--prompts", str(tmp_path / "planes.csv"), "--biplane", *more]
    assert main(args) == 0
    (row,) = rows(tmp_path / "out/biplane.csv")
    found = json.loads((tmp_path / "out/predictions.json").read_text())
    names = {image["id"]: (image["file_name"], str(image["frame"])) for image in found["images"]}
    of = {names[entry["image_id"]]: entry for entry in found["annotations"]}
    cuts = [of[row["file"], row["largest_frame"]], of[row["other_file"], row["largest_other_frame"]]]
    masks = [images.read_samples(tmp_path / "out" / entry["mask"]) > 0 for entry in cuts]
    volume = discs_volume(*masks, *(tuple(entry["spacing"]) for entry in cuts)) / 1000
    assert float(row["largest_ml"]) == pytest.approx(volume, abs=1e-4)
    assert main(["predict", files[0], "--box", "1,1,9,9", "--biplane", *more]) == 2
    assert "--biplane takes two files" in capsys.readouterr().err
    assert main(["predict", *files, "--auto", "--biplane", *more]) == 2
    (tmp_path / "planes.csv").write_text("four.dcm,5,5,40,30,lv\n")
    assert main(args) == 1
    assert "results of four.dcm alone" in capsys.readouterr().err
    # It is of other prompts now.
    assert not (tmp_path / "out/biplane.csv").exists()
