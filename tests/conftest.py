"""Shared by all tests: one tiny model, pictures, a small data set, and quiet, repeatable torch."""

import copy

import pytest
import torch

from tests.kit import pictures
from tests.kit.miniature import make_data
from tests.kit.models import tiny
from ultrasam.machine.torchvision_compat import bridge_torchvision

bridge_torchvision()  # before a test imports segment-anything


@pytest.fixture(autouse=True)
def _repeatable():
    torch.manual_seed(0)
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tiny_model():
    """The tiny model, for everybody: to be looked at, not to be changed. One of one's own is `tiny()`."""
    return tiny()


@pytest.fixture(scope="session")
def tiny_weights(tiny_model, tmp_path_factory):
    """The tiny model's weights in a file of segment-anything's kind."""
    path = tmp_path_factory.mktemp("weights") / "tiny.pth"
    torch.save(tiny_model.state_dict(), path)
    return path


@pytest.fixture
def picture():
    """RGB (120, 200, 3)."""
    return pictures.waves()


@pytest.fixture(scope="session")
def phantom_data(tmp_path_factory):
    """A folder of forty simulated images of 64 pixels with their COCO files, for everybody to read."""
    return make_data(tmp_path_factory.mktemp("phantoms"))


@pytest.fixture(autouse=True)
def _shared_model_stays(request):
    """A test that changes what others use fails itself, instead of another one somewhere else."""
    if "tiny_model" not in request.fixturenames:
        yield
        return
    model = request.getfixturevalue("tiny_model")
    before, attributes = copy.deepcopy(model.state_dict()), set(vars(model))
    yield
    after = model.state_dict()
    assert before.keys() == after.keys() and all(torch.equal(before[name], after[name]) for name in before)
    assert not model.training and all(p.requires_grad and p.grad is None for p in model.parameters())
    assert set(vars(model)) == attributes
