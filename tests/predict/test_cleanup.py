"""Masks in one piece: scipy's labels as the oracle, prompts that say otherwise, and where it is left out."""

import numpy as np
import pytest
from scipy import ndimage

from tests.kit.models import tiny
from tests.kit.pictures import scan
from ultrasam.predict.cleanup import Cleanup, cleaned, pieces
from ultrasam.predict.masks import Part, draw
from ultrasam.predict.object_prompt import ObjectPrompt
from ultrasam.predict.predictor import Predictor
from ultrasam.types import ModelUsage

EIGHT = np.ones((3, 3))


def clean(mask, **prompt):
    """A mask (H, W) cleaned, as part of a larger image that it lies in at (5, 7)."""
    part = Part(slice(5, 5 + mask.shape[1]), slice(7, 7 + mask.shape[0]), mask.T)
    if prompt.get("points") is not None:
        prompt["points"] = np.array(prompt["points"]) + (5, 7)
    return Cleanup.of(ObjectPrompt(**prompt))(part).mask.T


@pytest.mark.parametrize("seed", range(6))
def test_the_largest_piece_without_holes(seed):
    noise = np.random.default_rng(seed).normal(size=(40, 52))
    mask = ndimage.gaussian_filter(noise, 1.5) > 0.05
    labels, count = ndimage.label(mask, EIGHT)
    assert pieces(mask) == count > 1
    largest = labels == 1 + np.argmax(ndimage.sum(mask, labels, range(1, count + 1)))
    expected = ndimage.binary_fill_holes(largest)
    assert np.array_equal(clean(mask, box=[0, 0, 52, 40]), expected)


def test_what_was_clicked_stays():
    mask = np.zeros((20, 30), bool)
    mask[2:12, 2:12] = mask[4:8, 20:26] = mask[15:18, 20:26] = True
    mask[5:8, 5:8] = False
    small = clean(mask, points=[[22.5, 6.5]])
    assert small.sum() == 24 and small[5, 22]
    two = clean(mask, points=[[22.5, 6.5], [20.5, 15.5]], labels=[1, 1])
    assert two.sum() == 24 + 18
    beside = clean(mask, points=[[28.5, 1.5]])  # in no piece: the largest, and its hole is closed
    assert beside.sum() == 100
    ring = clean(mask, points=[[2.5, 2.5], [6.5, 6.5]], labels=[1, 0])
    assert ring.sum() == 91 and not ring[6, 6]
    assert not clean(mask, points=[[-9.0, 2.0]])[4:8, 20:26].any()  # outside of the part


def test_a_predictor_does_as_weights_want():
    model, image = tiny(3), scan(2, size=120)
    plain, clean_ = Predictor(model, device="cpu"), Predictor(model, device="cpu", cleanup=True)
    model.usage = ModelUsage(cleanup=True)
    noted = Predictor(model, device="cpu")
    assert (plain.cleanup, clean_.cleanup, noted.cleanup) == (False, True, True)
    assert not Predictor(model, device="cpu", cleanup=False).cleanup
    assert not Predictor.as_published(model, device="cpu").cleanup
    objects = [ObjectPrompt(box=[10, 10, 100, 90]), ObjectPrompt(points=[[60, 60]])]
    before, after = plain.encode(image).segment(objects), noted.encode(image).segment(objects)
    holes = [(m != ndimage.binary_fill_holes(m)).any() for m in (*before.masks, *after.masks)]
    assert holes == [True, True, False, False] and max(map(pieces, after.masks)) == 1
    assert np.array_equal(after.masks, draw(cleaned(before.sources, objects), (120, 120)))
    # What is fed back, and segment-anything's interface, have what the network says.
    assert np.array_equal(before.logits, after.logits)
    for one in (plain, noted):
        one.set_image(image)
    theirs = [one.predict(box=[10, 10, 100, 90]) for one in (plain, noted)]
    assert np.array_equal(theirs[0][0], theirs[1][0])
