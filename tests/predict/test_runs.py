"""Masks and run-length codes made from logits where a mask is, against the whole picture and pycocotools."""

import numpy as np
import pytest
import torch
from pycocotools import mask as coco_mask

from ultrasam.predict import masks
from ultrasam.predict.crop import Crop
from ultrasam.preprocess import Geometry, to_masks

SIZES = [(90, 120), (300, 400), (37, 11), (1, 300), (600, 260)]


def oracle(mask: np.ndarray) -> dict:
    code = coco_mask.encode(np.asfortranarray(mask, np.uint8))
    return {"size": list(code["size"]), "counts": code["counts"].decode()}


def some_logits(cells: int) -> torch.Tensor:
    """Blobs of several sizes, noise, one cell, everything, nothing, and masks that touch the borders."""
    y, x = torch.meshgrid(*[torch.linspace(-1, 1, cells)] * 2, indexing="ij")
    blobs = [r - ((x - cx) ** 2 + (y - cy) ** 2).sqrt() for r, cx, cy in [(0.1, 0, 0), (0.6, -0.3, -0.7)]]
    stripes = torch.sin(9 * y) - 0.5
    one = torch.full((cells, cells), -1.0)
    one[0, 0] = 0.3
    noise = torch.randn(cells, cells)
    return torch.stack([*blobs, stripes, stripes.t(), one, noise, noise.abs(), -noise.abs()])


@pytest.mark.parametrize("mode", ["logits", "official"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("rule", ["round", "truncate"])
def test_masks_and_codes_equal_the_full_path(size, mode, rule):
    geometry = Geometry.of(*size, 256, rule)
    logits = some_logits(64)
    expected = to_masks(logits[:, None], geometry, mode)[:, 0].numpy()
    assert np.array_equal(masks.masks_of(logits, geometry, mode), expected)
    rows = masks.by_rows(masks.masks_of(logits, geometry, mode))
    assert rows.flags.c_contiguous and np.array_equal(rows, expected)
    assert masks.rles_of(logits, geometry, mode) == [oracle(mask) for mask in expected]


@pytest.mark.parametrize("mode", ["logits", "official"])
@pytest.mark.parametrize(
    "box", [None, [70.4, 41, 110, 80.6], [20, 30, 60, 70], [31, 41, 32, 42], [0, 0, 9, 9]]
)
def test_masks_of_a_crop_lie_where_it_was_cut_out(box, mode):
    """Against masks of the crop pasted into the image and cut, pixel by pixel, to what the box touches."""
    crop, size = Crop((30, 40), Geometry.of(60, 90, 256)), (120, 140)
    logits = some_logits(64)
    expected = np.zeros((len(logits), *size), bool)
    expected[:, 40:100, 30:120] = to_masks(logits[:, None], crop.geometry, mode)[:, 0].numpy()
    if box is not None:
        x1, y1, x2, y2 = box
        touched = [[x < x2 and x + 1 > x1 and y < y2 and y + 1 > y1 for x in range(140)] for y in range(120)]
        expected &= np.array(touched)
    held = None if box is None else np.array(box, dtype=float)
    sources = [masks.MaskLogits(row, crop, mode, held) for row in logits.numpy()]
    assert np.array_equal(masks.draw(sources, size), expected)
    assert masks.encode(sources, size) == [oracle(mask) for mask in expected]
    assert expected.any() == (box != [0, 0, 9, 9])


def test_no_masks():
    geometry = Geometry.of(20, 30, 256)
    assert masks.rles_of(torch.zeros(0, 64, 64), geometry) == []
    assert masks.masks_of(torch.zeros(0, 64, 64), geometry).shape == (0, 20, 30)
