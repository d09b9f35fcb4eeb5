"""The model that comes with the package: it is there, it is small, and its masks are good."""

import json
import socket
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open

import ultrasam
from ultrasam import checkpoints
from ultrasam.checkpoints.places import OWN_FILE
from ultrasam.cli.main import main
from ultrasam.data.boxes import tight_box
from ultrasam.data.images import read_image, write_image
from ultrasam.evaluate.baselines import ellipse_in_box
from ultrasam.evaluate.metrics import iou
from ultrasam.phantom import simulate
from ultrasam.predict.object_prompt import ObjectPrompt
from ultrasam.predict.predictor import Predictor

SAMPLES = Path(__file__).parents[3] / "shared" / "samples"


@pytest.fixture(scope="module")
def predictor():
    return Predictor()


@pytest.fixture(scope="module")
def phantoms():
    """Of a seed that no training used."""
    return [simulate(4711, index, size=320) for index in range(12)]


def test_it_is_in_the_package_and_small():
    assert OWN_FILE.is_file() and OWN_FILE.stat().st_size <= 20e6
    with safe_open(OWN_FILE, "pt") as file:
        assert {file.get_slice(name).get_dtype() for name in list(file.keys())} == {"F16"}
    assert OWN_FILE.is_relative_to(Path(ultrasam.__file__).parent)


def test_it_loads_without_a_name_and_without_a_network(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket, "socket", refuse)
    model = ultrasam.load()
    assert model.img_size == 256 and next(model.parameters()).dtype == torch.float32
    for name, value in checkpoints.load("small").state_dict().items():
        assert torch.equal(value, model.state_dict()[name])


def test_a_folder_of_that_name_is_not_in_the_way(tmp_path, monkeypatch):
    (tmp_path / "small").mkdir()
    monkeypatch.chdir(tmp_path)
    assert checkpoints.resolve("small") == checkpoints.resolve(None) == OWN_FILE


def test_it_looks_closer_by_itself_and_others_do_not(predictor):
    assert predictor.closer and Predictor("small").closer and Predictor(ultrasam.load()).closer
    assert not Predictor(closer=False).closer and not Predictor.as_published("small").closer
    assert not Predictor(ultrasam.build_ultrasam("vit_t")).closer


def scores(predictor, phantoms, ask):
    """Mean IoU of the model and of the ellipse in the box."""
    ours, ellipses = [], []
    for phantom in phantoms:
        predictor.set_image(phantom.image)
        masks = [item.mask for item in phantom.objects if item.mask.sum() >= 100]
        found = predictor.segment([ask(mask) for mask in masks], multimask=True).masks
        ours += [iou(a, b) for a, b in zip(found, masks, strict=True)]
        ellipses += [iou(ellipse_in_box(tight_box(mask), mask.shape), mask) for mask in masks]
    return np.mean(ours), np.mean(ellipses)


def test_boxes_on_new_phantoms_beat_the_ellipse(predictor, phantoms):
    ours, ellipse = scores(predictor, phantoms, lambda mask: ObjectPrompt(box=tight_box(mask)))
    assert ours > ellipse + 0.01


def test_points_on_new_phantoms(predictor, phantoms):
    def ask(mask):
        y, x = np.nonzero(mask)
        nearest = np.argmin((x - x.mean()) ** 2 + (y - y.mean()) ** 2)
        return ObjectPrompt([[x[nearest] + 0.5, y[nearest] + 0.5]])

    assert scores(predictor, phantoms, ask)[0] > 0.6


@pytest.mark.data
def test_boxes_on_real_lesions_beat_the_ellipse(predictor):
    """Of data sets that no training used."""
    images = sorted((SAMPLES / "stu_hospital").rglob("*.png"))
    if not images:
        pytest.skip(f"real samples are not at hand ({SAMPLES})")
    truths = {path.stem.replace("mask", "Test_Image"): path for path in images if "mask" in path.stem}
    ours, ellipses = [], []
    for path in images:
        if path.stem in truths:
            mask = read_image(truths[path.stem])[..., 0] >= 128
            image = read_image(path)
            if image.shape[:2] != mask.shape:
                continue
            predictor.set_image(image)
            box = tight_box(mask)
            ours.append(iou(predictor.segment([ObjectPrompt(box=box)]).masks[0], mask))
            ellipses.append(iou(ellipse_in_box(box, mask.shape), mask))
    assert len(ours) >= 3 and np.mean(ours) > np.mean(ellipses)


def test_predict_without_a_checkpoint(tmp_path):
    phantom = simulate(4711, 1, size=320)
    mask = max((item.mask for item in phantom.objects), key=np.sum)
    write_image(tmp_path / "scan.png", phantom.image)
    box = ",".join(str(int(v)) for v in tight_box(mask))
    assert main(["predict", str(tmp_path / "scan.png"), "--box", box, "--out", str(tmp_path / "out")]) == 0
    found = json.loads((tmp_path / "out/predictions.json").read_text())
    assert len(found["annotations"]) == 1
    drawn = read_image(tmp_path / "out" / found["annotations"][0]["mask"])[..., 0] > 0
    assert iou(drawn, mask) > 0.8
