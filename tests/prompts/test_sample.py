"""Simulated prompts: where they may fall, and the awkward objects."""

import numpy as np
import pytest

from ultrasam.data.boxes import tight_box
from ultrasam.errors import PromptError
from ultrasam.preprocess import Geometry
from ultrasam.prompts.released import ReleasedRules
from ultrasam.prompts.sample import (
    PromptRules,
    central_point,
    draw_sample,
    exact_box,
    mask_target,
    noisy_box,
    random_point,
    simulate_prompts,
)

SHAPE = (60, 90)
GEOMETRY = Geometry.of(*SHAPE, 256)


def mask_of(*pixels):
    mask = np.zeros(SHAPE, bool)
    for y, x in pixels:
        mask[y, x] = True
    return mask


def crescent():
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    return ((x - 45) ** 2 + (y - 30) ** 2 < 400) & ((x - 52) ** 2 + (y - 30) ** 2 > 330)


@pytest.mark.parametrize("pixel", [(0, 0), (59, 89), (20, 30)])
def test_a_single_pixel(pixel):
    mask = mask_of(pixel)
    y, x = pixel
    assert tight_box(mask).tolist() == [x, y, x + 1, y + 1]
    assert central_point(mask).tolist() == [x + 0.5, y + 0.5]
    rng = np.random.default_rng(0)
    for _ in range(50):
        px, py = GEOMETRY.to_original(random_point(mask, GEOMETRY, rng))
        assert x <= px <= x + 1 and y <= py <= y + 1
    assert mask_target(mask, GEOMETRY, 64).sum() >= 1


def test_random_points_cover_the_mask_evenly():
    mask = np.zeros(SHAPE, bool)
    mask[10:30, 20:60] = True
    rng = np.random.default_rng(1)
    points = np.array([GEOMETRY.to_original(random_point(mask, GEOMETRY, rng)) for _ in range(4000)])
    assert points.min(0).tolist() >= [20, 10] and (points.max(0) <= [60, 30]).all()
    assert np.allclose(points.mean(0), [40, 20], atol=0.6)
    assert np.allclose(points.std(0), [40 / 12**0.5, 20 / 12**0.5], rtol=0.05)


def test_released_random_point_lies_in_the_resized_mask_and_survives_a_vanished_one():
    mask = np.zeros((2000, 2000), bool)
    mask[1001, 1001] = True
    geometry = Geometry.of(2000, 2000, 256)
    rng = np.random.default_rng(0)
    x, y = geometry.to_original(ReleasedRules.random_point(mask, geometry, rng))
    assert 1001 <= x <= 1002 and 1001 <= y <= 1002


def test_central_point_of_a_crescent_is_inside_and_the_released_one_is_not():
    mask = crescent()
    x, y = central_point(mask)
    assert mask[int(y), int(x)]
    ys, xs = np.nonzero(mask)
    released = GEOMETRY.to_original(ReleasedRules.central_point(mask, GEOMETRY) - 0.5)
    assert np.allclose(released, [xs.mean(), ys.mean()])
    assert not mask[int(released[1] + 0.5), int(released[0] + 0.5)]


def test_noisy_boxes_move_each_side_by_up_to_five_percent():
    box = np.array([20.0, 10.0, 60.0, 30.0])
    rng = np.random.default_rng(2)
    exact = exact_box(box, GEOMETRY)
    moves = np.array([noisy_box(box, GEOMETRY, rng) - exact for _ in range(4000)])
    limit = 0.05 * np.tile(exact[2:] - exact[:2], 2)
    assert (np.abs(moves) <= limit + 1e-9).all()
    assert np.allclose(np.abs(moves).max(0), limit, rtol=0.01)
    assert np.allclose(moves.mean(0), 0, atol=0.1)
    assert np.allclose(ReleasedRules.exact_box(box, GEOMETRY) - exact, 0.5)


def test_noisy_boxes_stay_in_the_image():
    rng = np.random.default_rng(3)
    box = np.array([0.0, 0.0, 90.0, 60.0])
    height, width = GEOMETRY.resized
    for _ in range(200):
        x1, y1, x2, y2 = noisy_box(box, GEOMETRY, rng)
        assert 0 <= x1 < x2 <= width and 0 <= y1 < y2 <= height


def test_kinds_are_drawn_with_equal_probability_and_repeatably():
    masks = [crescent()] * 2000
    boxes = np.tile(tight_box(masks[0]), (2000, 1))
    first, second = (simulate_prompts(masks, boxes, GEOMETRY, np.random.default_rng(5)) for _ in range(2))
    assert np.array_equal(first.points, second.points) and np.array_equal(first.labels, second.labels)
    share = (first.labels == 1).mean()
    assert 0.46 < share < 0.54
    # A prompt is a point or a box, never both and never neither.
    assert np.array_equal(first.labels[:, 0] == -1, ~np.isnan(first.boxes).any(1))


@pytest.mark.parametrize(("probability", "is_point"), [(1.0, True), (0.0, False)])
def test_testing_prompts_are_exact(probability, is_point):
    mask = crescent()
    found = simulate_prompts([mask], tight_box(mask)[None], GEOMETRY, None, point_probability=probability)
    if is_point:
        assert np.allclose(found.points[0, 0], central_point(mask) * GEOMETRY.scale, atol=1e-4)
    else:
        assert np.allclose(found.boxes[0], tight_box(mask) * np.tile(GEOMETRY.scale, 2), atol=1e-4)


def test_target_is_the_area_share_of_each_cell():
    """Against area averaging done the slow way: 16 x 16 samples in every cell."""
    mask, side = crescent(), 64
    step = np.arange(side * 16) * (256 / side / 16) + 256 / side / 32
    y = np.floor(step / GEOMETRY.scale[1]).astype(int)
    x = np.floor(step / GEOMETRY.scale[0]).astype(int)
    full = np.zeros((side * 16, side * 16))
    inside = np.ix_(y < SHAPE[0], x < SHAPE[1])
    full[inside] = mask[y[y < SHAPE[0]]][:, x[x < SHAPE[1]]]
    share = full.reshape(side, 16, side, 16).mean((1, 3))
    clear = np.abs(share - 0.5) > 0.05
    assert np.array_equal(mask_target(mask, GEOMETRY, side)[clear], (share > 0.5)[clear])
    assert not mask_target(mask, GEOMETRY, side)[round(64 * 60 / 90) + 1 :].any()


def test_empty_masks():
    empty = np.zeros(SHAPE, bool)
    assert mask_target(empty, GEOMETRY, 64).sum() == 0
    for call in (tight_box, central_point):
        with pytest.raises(PromptError, match="empty"):
            call(empty)
    with pytest.raises(PromptError, match="empty"):
        random_point(empty, GEOMETRY, np.random.default_rng(0))
    with pytest.raises(PromptError, match="empty"):
        ReleasedRules.central_point(empty, GEOMETRY)


@pytest.mark.parametrize("rules", [PromptRules(), ReleasedRules()])
def test_a_sample_is_its_prompts_and_their_targets(rules):
    masks = [crescent(), mask_of((5, 80), (6, 80))]
    boxes = np.stack([tight_box(mask) for mask in masks])
    rng = [np.random.default_rng(3) for _ in range(2)]
    prompts, targets = draw_sample(masks, boxes, GEOMETRY, rng[0], per_object=3, rules=rules)
    again = simulate_prompts(masks * 3, np.tile(boxes, (3, 1)), GEOMETRY, rng[1], rules=rules)
    for name in ("points", "labels", "boxes"):
        assert np.array_equal(getattr(prompts, name), getattr(again, name), equal_nan=name == "boxes")
    assert targets.shape == (6, 64, 64) and targets.dtype == np.uint8
    for row, target in enumerate(targets):
        assert np.array_equal(target, rules.mask_target(masks[row % 2], GEOMETRY, 64))
    # The object is where its prompt is, and either kind of prompt is drawn.
    for row in np.flatnonzero(prompts.labels[:, 0] == 1):
        x, y = (prompts.points[row, 0] / 4).astype(int)
        assert targets[row, max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2].any()
    assert set(prompts.labels.ravel()) == {-1, 1}
