"""Ultrasound or not: simulated images on one side, scikit-image's pictures and made ones on the other."""

import cv2
import numpy as np
import pytest

from tests.kit.pictures import scan
from ultrasam.predict.bmode import LEAST, bmode_score, features


def page():
    image = np.full((200, 240, 3), 255, np.uint8)
    for row in range(20, 190, 20):
        cv2.putText(image, "Findings: none of note.", (10, row), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0))
    return image


def doppler():
    image = scan(4, size=200)
    color = np.zeros_like(image)
    cv2.circle(color, (100, 100), 45, (220, 40, 20), -1)
    cv2.circle(color, (110, 90), 20, (20, 60, 230), -1)
    return np.where(color.any(2, keepdims=True), color, image)


@pytest.mark.parametrize("index", range(4))
def test_ultrasound_passes_tinted_too(index):
    image = scan(11, index, size=220)
    assert bmode_score(image) > LEAST
    assert bmode_score((image * np.array([1.0, 0.85, 0.6])).astype(np.uint8)) > LEAST


def test_others_are_flagged():
    import skimage.data

    pictures = {
        "page": page(),
        "Doppler": doppler(),
        "one gray": np.full((90, 120, 3), 128, np.uint8),
        **{n: getattr(skimage.data, n)() for n in ("astronaut", "chelsea", "coffee", "rocket")},
    }
    wrong = {name: bmode_score(image) for name, image in pictures.items() if bmode_score(image) >= LEAST}
    assert not wrong


def test_any_size_gives_numbers():
    for shape in ((1, 1, 3), (3, 500, 3), (900, 40, 3)):
        assert np.isfinite(features(np.zeros(shape, np.uint8))).all()
        assert 0 <= bmode_score(np.full(shape, 255, np.uint8)) <= 1
