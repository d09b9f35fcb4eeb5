"""Everything in an image: found with the shipped model, each object once, within what is wanted."""

import itertools

import numpy as np
import pytest

from tests.kit.models import tiny
from ultrasam.errors import PromptError
from ultrasam.evaluate.metrics import iou
from ultrasam.phantom import simulate
from ultrasam.predict.automatic import Everything, distinct, find_everything
from ultrasam.predict.predictor import Predictor

LOOSE = Everything(grid=True, points_per_side=4, min_iou=0, min_stability=0, min_area=0, max_area=1, most=5)


@pytest.fixture(scope="module")
def small():
    return Predictor()


def test_a_grid_finds_what_is_there(small):
    """Objects of simulated images; with segment-anything's thresholds it found none."""
    hits = 0
    for index in range(2):
        phantom = simulate(11, index, size=256, marks=False)
        found = find_everything(small.encode(phantom.image), Everything(grid=True, points_per_side=6, most=6))
        assert all(found.scores >= 0.8) and list(found.scores) == sorted(found.scores, reverse=True)
        assert len(found) <= 6
        hits += any(iou(m, o.mask) > 0.6 for m in found.masks for o in phantom.objects)
    assert hits == 2


def test_thresholds_and_progress(small):
    encoded = small.encode(simulate(11, 0, size=128, marks=False).image)
    told = []
    found = find_everything(encoded, LOOSE, lambda *step: told.append(step))
    assert 1 < len(found) <= 5
    for first, second in itertools.combinations(found.masks, 2):
        assert iou(first, second) <= 0.5
    done = [step[0] for step in told]
    assert done == sorted(done) and told[-1][0] == told[-1][1]
    sure = float(np.sort(found.scores)[-2])
    fewer = find_everything(encoded, Everything(**{**vars(LOOSE), "min_iou": sure + 1e-4}))
    assert 0 < len(fewer) < len(found)
    nothing = find_everything(encoded, Everything(**{**vars(LOOSE), "min_area": 1}))
    assert len(nothing) == 0 and nothing.masks.shape == (0, 128, 128) and nothing.coco() == []


def test_proposed_boxes_find_what_is_there(small):
    """Objects of simulated images; each once, the surest first, as sure as box and mask together are."""
    hits = objects = 0
    for index in range(4):
        phantom = simulate(11, index, size=256, marks=False)
        found = find_everything(small.encode(phantom.image))
        assert found.objectness is not None and (found.objectness >= 0.3).all()
        sure = np.sqrt(found.objectness * found.scores)
        assert list(sure) == sorted(sure, reverse=True)
        assert [entry["objectness"] for entry in found.coco()] == pytest.approx(found.objectness, abs=1e-4)
        for first, second in itertools.combinations(found.masks, 2):
            assert iou(first, second) <= 0.6
        hits += sum(any(iou(m, o.mask) > 0.5 for m in found.masks) for o in phantom.objects)
        objects += len(phantom.objects)
    assert hits >= 0.6 * objects


def test_thresholds_of_proposed_boxes(small):
    encoded = small.encode(simulate(11, 1, size=128, marks=False).image)
    told = []
    loose = Everything(min_score=0, min_area=0, max_area=1, most=3)
    found = find_everything(encoded, loose, lambda *step: told.append(step))
    assert 1 <= len(found) <= 3 and told[-1][0] == told[-1][1]
    for changes in ({"min_score": 1}, {"min_area": 1}, {"max_area": 0}, {"min_iou": 1}):
        nothing = find_everything(encoded, Everything(**{**vars(loose), **changes}))
        assert len(nothing) == 0 and nothing.masks.shape == (0, 128, 128) and nothing.coco() == []


def test_without_a_head_there_is_the_grid():
    encoded = Predictor(tiny(), device="cpu").encode(simulate(11, 0, size=64, marks=False).image)
    wanted = Everything(**{**vars(LOOSE), "grid": False})
    found, expected = (find_everything(encoded, one) for one in (wanted, LOOSE))
    assert found.objectness is None and np.array_equal(found.scores, expected.scores)


def test_of_two_that_overlap_the_surer_one_is_kept():
    masks = np.zeros((4, 10, 10), dtype=bool)
    masks[0, :4], masks[1, :5], masks[2, 6:], masks[3, 6:, :2] = True, True, True, True
    # IoU: 0.8 of the first two, 0.2 of the last two.
    assert distinct(masks, np.array([0.5, 0.9, 0.3, 0.8]), 0.5) == [1, 3, 2]
    assert distinct(masks, np.array([0.5, 0.9, 0.3, 0.8]), 0.1) == [1, 3]


@pytest.mark.parametrize(
    "wrong", [{"points_per_side": 0}, {"min_iou": 1.5}, {"overlap": -1}, {"most": 0}, {"min_score": 2}]
)
def test_wishes_that_make_no_sense(wrong):
    with pytest.raises(PromptError):
        Everything(**wrong)
