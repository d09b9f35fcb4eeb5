"""Inexact prompts: as far off as they should be, and never useless."""

import numpy as np
import pytest

from ultrasam.prompts.noise import disturb_box, off_center

BOX = np.array([40.0, 50.0, 80.0, 70.0])
SHAPE = (200, 300)


@pytest.mark.parametrize("level", [0.05, 0.2])
def test_loose_boxes_hold_the_object_and_grow_by_the_level_on_average(level):
    rng = np.random.default_rng(0)
    boxes = np.array([disturb_box("loose", BOX, level, SHAPE, rng) for _ in range(2000)])
    grown = (boxes - BOX) * [-1, -1, 1, 1] / [40, 20, 40, 20]
    assert grown.min() >= 0 and grown.max() <= 2 * level
    assert grown.mean(axis=0) == pytest.approx(level, rel=0.1)


def test_shifted_boxes_keep_their_size_and_go_as_far_as_the_level_in_all_directions():
    rng = np.random.default_rng(0)
    boxes = np.array([disturb_box("shift", BOX, 0.1, SHAPE, rng) for _ in range(500)])
    assert (boxes[:, 2:] - boxes[:, :2]) == pytest.approx(np.tile([40, 20], (500, 1)))
    moved = (boxes - BOX)[:, :2] / [40, 20]
    assert np.hypot(*moved.T) == pytest.approx(0.1)
    assert np.abs(moved.mean(axis=0)).max() < 0.02


@pytest.mark.parametrize("kind", ["loose", "shift"])
def test_boxes_stay_in_the_image_and_are_never_empty(kind):
    rng = np.random.default_rng(0)
    for corner in ((0, 0), (298, 0), (0, 198), (299, 199)):
        for _ in range(50):
            box = np.array([*corner, corner[0] + 1.0, corner[1] + 1.0])
            x1, y1, x2, y2 = disturb_box(kind, box, 0.9, SHAPE, rng)
            assert 0 <= x1 < x2 <= 300 and 0 <= y1 < y2 <= 200


def test_clicks_leave_the_center_and_stay_in_the_object():
    y, x = np.mgrid[:100, :100] + 0.5
    disc = (x - 50) ** 2 + (y - 50) ** 2 < 30**2
    ring = disc & ((x - 50) ** 2 + (y - 50) ** 2 > 20**2)
    rng = np.random.default_rng(0)
    for _ in range(50):
        px, py = off_center(disc, np.array([50.0, 50.0]), 0.2, rng)
        assert np.hypot(px - 50, py - 50) == pytest.approx(12)
        px, py = off_center(ring, np.array([50.0, 50.0]), 0.1, rng)
        assert ring[int(py), int(px)]
        # Off the image, too, the object's nearest pixel is taken.
        px, py = off_center(disc, np.array([50.0, 50.0]), 3.0, rng)
        assert disc[int(py), int(px)] and np.hypot(px - 50, py - 50) > 28
