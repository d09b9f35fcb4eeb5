"""An engine of the tiny model."""

import pytest

from ultrasam.predict.predictor import Predictor
from ultrasam.serve.image_service import ImageService


@pytest.fixture
def predictor(tiny_model):
    return Predictor(tiny_model, closer=True)


@pytest.fixture
def engine(predictor):
    return ImageService(predictor)
