"""Masks to polygons, and back by the even-odd rule as it is defined."""

import numpy as np
import pytest

from ultrasam.data.polygons import one_polygon


def filled(outline, shape):
    """Pixels whose center a ray to the right leaves through an odd number of edges."""
    y, x = np.mgrid[: shape[0], : shape[1]] + 0.5
    corners = np.reshape(outline, (-1, 2))
    crossings = np.zeros(shape, dtype=int)
    for (x1, y1), (x2, y2) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        if y1 != y2:
            crossings += ((y1 <= y) != (y2 <= y)) & (x < x1 + (y - y1) * (x2 - x1) / (y2 - y1))
    return crossings % 2 == 1


@pytest.mark.parametrize("seed", range(12))
def test_one_polygon_of_parts_and_holes_is_the_mask(seed):
    rng = np.random.default_rng(seed)
    mask = rng.random(rng.integers(1, 28, 2)) < rng.uniform(0.1, 0.95)
    mask[0, 0] = True
    assert np.array_equal(filled(one_polygon(mask), mask.shape), mask)


def test_thousands_of_parts_are_joined():
    """Which took minutes when each part was compared with all others in each step."""
    mask = np.zeros((256, 256), dtype=bool)
    mask[::4, ::4] = True
    outline = np.reshape(one_polygon(mask), (-1, 2))
    steps = np.abs(np.roll(outline, -1, axis=0) - outline).max(axis=1)
    # 64 x 64 squares of 4 corners, and a cut of 3 pixels there and back for each but one.
    assert len(outline) == 4096 * 4 + 4095 * 2 and np.bincount(steps.astype(int))[3] == 4095 * 2


def test_an_empty_mask_has_none():
    assert one_polygon(np.zeros((5, 5), dtype=bool)) == []
