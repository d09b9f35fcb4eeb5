"""Sizes, coordinates and masks, there and back."""

import numpy as np
import pytest
import torch
from segment_anything.utils.transforms import ResizeLongestSide
from torch.nn import functional as F

from ultrasam.errors import DataError
from ultrasam.preprocess import PIXEL_MEAN, Geometry, normalize, pad, to_input, to_masks


def test_rounded_sizes_are_segment_anythings():
    rng = np.random.default_rng(0)
    for height, width in rng.integers(1, 3000, (500, 2)):
        expected = ResizeLongestSide.get_preprocess_shape(int(height), int(width), 1024)
        found = Geometry.of(int(height), int(width), 1024).resized
        # A side that rounds to nothing keeps one pixel.
        assert found == tuple(max(n, 1) for n in expected)


def test_truncated_sizes_are_the_published_ones():
    short = [n for n in range(1, 4001) if max(Geometry.of(n, n, 1024, "truncate").resized) == 1023]
    assert len(short) == 483 and {206, 322, 412, 498, 644} <= set(short)
    assert Geometry.of(1300, 900, 1024, "truncate").resized == (1024, 708)


def test_coordinates_return():
    geometry = Geometry.of(471, 733, 256)
    boxes = np.random.default_rng(0).random((20, 4)) * 400
    assert np.allclose(geometry.to_original(geometry.to_input(boxes)), boxes)
    assert np.allclose(geometry.to_input([733, 471]), geometry.resized[::-1])


def test_network_input():
    image = np.full((30, 60, 3), 200, np.uint8)
    found, geometry = to_input(image, 128)
    assert found.shape == (3, 128, 128) and geometry.resized == (64, 128)
    assert (found[:, 64:] == 0).all()
    assert torch.allclose(found[:, :64].std((1, 2)), torch.zeros(3), atol=1e-6)
    assert torch.allclose(normalize(torch.tensor(PIXEL_MEAN).view(3, 1, 1)), torch.zeros(3, 1, 1))


def test_masks_upsample_before_the_threshold():
    geometry = Geometry.of(300, 420, 256)
    logits = torch.randn(2, 3, 64, 64)
    large = F.interpolate(logits, (256, 256), mode="bilinear")[
        ..., : geometry.resized[0], : geometry.resized[1]
    ]
    expected = F.interpolate(large, (300, 420), mode="bilinear") > 0
    assert torch.equal(to_masks(logits, geometry), expected)
    official = to_masks(logits, geometry, "official")
    assert (official.sum() > expected.sum()) and official.shape == expected.shape


def test_refusals():
    with pytest.raises(DataError, match="does not fit"):
        pad(torch.zeros(3, 200, 10), 128)
    with pytest.raises(DataError, match="0 x 5"):
        Geometry.of(0, 5, 128)
