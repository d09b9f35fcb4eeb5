"""Shared by all tests: the bridge that lets segment-anything import, and quiet, repeatable torch."""

import pytest
import torch

from ultrasam.machine.torchvision_compat import bridge_torchvision

bridge_torchvision()


@pytest.fixture(autouse=True)
def _repeatable():
    torch.manual_seed(0)
    torch.set_num_threads(1)
