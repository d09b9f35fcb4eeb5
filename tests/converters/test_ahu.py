"""The three layers of the AHU database on fabricated folders."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from PIL import Image
from ultrasam.converters import ConverterError
from ultrasam.converters.ahu import LABELS, convert_ahu, main_cluster, parse_labels

from tests.kit.archives import jpg, picture, text, video


def rows(out):
    found = []
    for side in ("train", "val"):
        with open(out / f"ahu/{side}.csv", newline="") as file:
            found += list(csv.DictReader(file))
    return found


def noisy(seed, base=1):
    rng = np.random.default_rng(seed)
    return np.clip(picture(base).astype(int) + rng.integers(-4, 5, (48, 64)), 0, 255).astype(np.uint8)


def test_raw_layer_every_tenth_frame_without_outliers(tmp_path):
    frames = [noisy(i) for i in range(41)]
    frames[20] = np.zeros_like(frames[0])
    frames[20][:, ::2] = 255
    video(tmp_path / "raw/creator1/v1/a.avi", frames)
    for n in range(2):
        jpg(tmp_path / f"raw/creator1/v2/{n}.jpg", picture(n))
    jpg(tmp_path / "raw/creator2/v9/0.jpg", picture(3))
    text(tmp_path / "raw/creator1/comments.csv", "name,comment\nv1,A Tumor with Calcification\nv2,cyst\n")
    text(tmp_path / "raw/creator2/comments.csv", "name,comment\nv9,nothing\n")
    report = convert_ahu(tmp_path / "raw", tmp_path / "out")
    found = rows(tmp_path / "out")
    first = sorted(int(r["frame"]) for r in found if r["clip"] == "creator1/v1")
    assert first == [0, 10, 30, 40]
    assert {r["labels"] for r in found if r["clip"] == "creator1/v1"} == {"Tumor|Calcification"}
    assert report.left_out == {"frame outside of the clip's main cluster": 1}
    assert (report.clips, report.frames) == (2, 6)
    assert len(report.failures) == 1 and "v9" in report.failures[0]
    for row in found:
        assert Image.open(tmp_path / "out/ahu" / row["file"]).size == (224, 224)


def test_filtered_and_processed_layers(tmp_path):
    video(tmp_path / "f/Video_3_Polyp.avi", [noisy(i) for i in range(21)])
    jpg(tmp_path / "f/Photos_4_Hernia/0.jpg", picture(1))
    report = convert_ahu(tmp_path / "f", tmp_path / "fo")
    assert (report.clips, report.frames, report.labels) == (2, 4, {"Polyp": 1, "Hernia": 1})
    for n in range(3):
        jpg(tmp_path / f"p/12_Stone/{n}.jpg", picture(n))
    text(tmp_path / "p/12_Stone/noise_files.txt", "1.jpg\n")
    report = convert_ahu(tmp_path / "p", tmp_path / "po")
    assert sorted(r["frame"] for r in rows(tmp_path / "po")) == ["0", "2"]
    assert report.left_out == {"frame listed in noise_files.txt": 1}


def test_labels_and_clusters():
    assert len(LABELS) == 13
    assert parse_labels("12_vascular TUMOR") == ("Tumor", "Vascular")
    assert parse_labels("tumorous") == ()
    two_groups = [noisy(i, 1) for i in range(3)] + [noisy(i, 2) for i in range(3)]
    assert main_cluster(two_groups, eps=0.02).all()  # no cluster holds more than half


def test_a_folder_that_is_none_of_the_layers(tmp_path):
    (tmp_path / "x").mkdir()
    with pytest.raises(ConverterError, match="no clip of the AHU database"):
        convert_ahu(tmp_path, tmp_path / "out")
