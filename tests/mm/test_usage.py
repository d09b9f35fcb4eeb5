"""What weights want to be used with goes through training configurations and checkpoints of mmengine."""

import pytest
import torch
from mmengine.model import ExponentialMovingAverage
from mmengine.runner.checkpoint import get_state_dict, load_state_dict, save_checkpoint, weights_to_cpu

import ultrasam
from tests.mm.test_detector import detector
from ultrasam import checkpoints
from ultrasam.mm.engine.configuration import load_config
from ultrasam.modeling.build import build_ultrasam
from ultrasam.types import ModelUsage

CLOSER = ModelUsage(closer=True)


@pytest.fixture
def start(tmp_path):
    model = build_ultrasam("vit_t", img_size=64)
    model.usage = CLOSER
    checkpoints.save(model.state_dict(), tmp_path / "start.pth")
    return str(tmp_path / "start.pth")


def test_training_inherits_it_and_its_checkpoints_keep_it(start, tmp_path):
    model = detector(weights={"path": start})
    assert model.sam.usage == CLOSER and detector().sam.usage == ModelUsage()
    # As the runner saves it.
    content = {"meta": {"iter": 1}, "state_dict": weights_to_cpu(get_state_dict(model))}
    save_checkpoint(content, str(tmp_path / "iter_1.pth"))
    assert ultrasam.load(tmp_path / "iter_1.pth").usage == CLOSER
    averaged = ExponentialMovingAverage(model)
    assert averaged.module.sam.usage == CLOSER
    # As it resumes: the configuration names no start weights then.
    resumed = detector()
    stored = torch.load(tmp_path / "iter_1.pth", weights_only=True)
    load_state_dict(resumed, stored["state_dict"], strict=True)
    assert resumed.sam.usage == CLOSER
    tested = detector()
    tested.load_weights(str(tmp_path / "iter_1.pth"))
    assert tested.sam.usage == CLOSER


def test_a_configuration_that_trains_for_it_says_so(start):
    assert detector(usage={"closer": True}).sam.usage == CLOSER
    assert detector(usage={"closer": False}, weights={"path": start}).sam.usage == ModelUsage()


@pytest.mark.parametrize("name", ["small", "small_longer"])
def test_the_small_models_recipes_train_for_it(name):
    config = load_config(f"ultrasam/ultrasam_vit-t_{name}")
    assert config.model.usage == {"closer": True}
