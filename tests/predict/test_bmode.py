"""Ultrasound or not: what is pooled, worked out by hand, and what the shipped model says of pictures."""

import json

import cv2
import numpy as np
import pytest
import skimage.data

from tests.kit.models import tiny
from tests.kit.pictures import scan
from ultrasam import Predictor
from ultrasam.cli.main import main
from ultrasam.predict.bmode import LIKELY, looks_like_bmode, pooled
from ultrasam.preprocess import Geometry


@pytest.fixture(scope="module")
def small():
    return Predictor(engine="onnx", device="cpu")


def test_cells_of_the_padding_do_not_count():
    features = np.full((2, 4, 4), 100.0)
    features[0, :2] = [1, 3, 1, 3]
    features[1, :2] = 5
    # 100 x 45 in an input of 64 is shown on 64 x 29 pixels: two rows of cells of 16.
    assert pooled(features, Geometry.of(45, 100, 64)).tolist() == [2, 5, 1, 0]


@pytest.mark.parametrize("index", range(3))
def test_ultrasound_passes_tinted_too(small, index):
    image = scan(11, index, size=220)
    assert looks_like_bmode(small.encode(image)) > LIKELY
    assert looks_like_bmode(small.encode((image * np.array([1.0, 0.85, 0.6])).astype(np.uint8))) > LIKELY


def test_others_are_flagged(small):
    page = np.full((300, 400, 3), 255, np.uint8)
    for row in range(20, 290, 20):
        cv2.putText(page, "Findings: none of note. Liver 12 mm.", (10, row), 0, 0.5, (0, 0, 0))
    pictures = {n: getattr(skimage.data, n)() for n in ("astronaut", "chelsea", "coffee", "rocket")} | {
        "page": page
    }
    wrong = {n: v for n, i in pictures.items() if (v := looks_like_bmode(small.encode(i))) >= LIKELY}
    assert not wrong


def test_other_weights_say_nothing():
    assert looks_like_bmode(Predictor(tiny(), device="cpu").encode(np.zeros((32, 32, 3), np.uint8))) is None


def test_the_command_warns_and_goes_on(tmp_path, capsys):
    cv2.imwrite(str(tmp_path / "cat.png"), skimage.data.chelsea())
    cv2.imwrite(str(tmp_path / "scan.png"), scan(11, 0, size=220))
    asked = ["predict", str(tmp_path / "cat.png"), str(tmp_path / "scan.png"), "--box", "40,40,120,120"]
    for _ in range(2):  # from the records of the first run, too
        assert main([*asked, "--out", str(tmp_path / "out"), "--quiet"]) == 0
        assert capsys.readouterr().err.count("cat.png does not look like B-mode ultrasound") == 1
    images = json.loads((tmp_path / "out/predictions.json").read_text())["images"]
    told = {image["file_name"]: image["bmode"] for image in images}
    assert told["cat.png"] < LIKELY < told["scan.png"]
