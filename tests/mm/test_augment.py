"""Augmentation: image, masks and boxes stay together, at least one object stays."""

import numpy as np
import pytest

import ultrasam.mm  # noqa: F401
from ultrasam.data.boxes import tight_box
from ultrasam.mm.datasets.augment import Degrade, RandomView, Redraw, Tone
from ultrasam.phantom import simulate


def sample(index=0, seed=0):
    phantom = simulate(5, index, size=128, marks=False)
    masks = [item.mask for item in phantom.objects]
    return {
        "img": np.repeat(phantom.image[..., None], 3, axis=2),
        "masks": masks,
        "boxes": np.stack([tight_box(mask) for mask in masks]),
        "rng": np.random.default_rng(seed),
    }


@pytest.mark.parametrize("seed", range(12))
def test_views_keep_boxes_tight_and_objects_whole(seed):
    before = sample(seed % 4, seed)
    areas = [mask.sum() for mask in before["masks"]]
    after = RandomView(warp=0.0, closer=1.0).transform(before)
    height, width = after["img"].shape[:2]
    assert after["masks"] and len(after["masks"]) == len(after["boxes"])
    for mask, box in zip(after["masks"], after["boxes"], strict=True):
        assert mask.shape == (height, width) and np.array_equal(tight_box(mask), box)
    # Without a warp nothing is resampled: one object is there to the last pixel.
    assert {mask.sum() for mask in after["masks"]} & set(areas)


def test_a_warp_moves_image_and_masks_alike():
    before = sample(1)
    before["img"] = np.repeat(before["masks"][0][..., None], 3, axis=2).astype(np.uint8) * 255
    before["masks"], before["boxes"] = before["masks"][:1], before["boxes"][:1]
    original = before["masks"][0].copy()
    after = RandomView(warp=1.0, closer=0.0).transform(before)
    assert not np.array_equal(after["masks"][0], original)
    assert np.array_equal(after["img"][..., 0] >= 128, after["masks"][0])


def test_the_object_takes_the_share_that_was_asked_for():
    before = sample(2)
    mask = np.zeros((128, 128), dtype=bool)
    mask[54:74, 44:84] = True
    before["masks"], before["boxes"] = [mask], np.array([[44.0, 54, 84, 74]])
    after = RandomView(warp=0.0, closer=1.0, share=(0.5, 0.5)).transform(before)
    # 40 pixels are half of 80; whole pixels add at most one on each side.
    assert all(80 <= side <= 82 for side in after["img"].shape[:2]) and after["masks"][0].sum() == 800


def test_grays_change_and_masks_do_not():
    for transform in (Tone(probability=1.0, tint=1.0), Degrade(probability=1.0)):
        before, again = sample(3, 7), sample(3, 7)
        image, masks = before["img"].copy(), [mask.copy() for mask in before["masks"]]
        after, same = transform.transform(before), transform.transform(again)
        assert after["img"].dtype == np.uint8 and not np.array_equal(after["img"], image)
        assert np.array_equal(after["img"], same["img"])
        assert all(np.array_equal(a, b) for a, b in zip(after["masks"], masks, strict=True))


def test_another_annotator_draws_a_disc_as_a_smaller_or_larger_disc():
    y, x = np.mgrid[:128, :128] + 0.5
    disc = np.hypot(x - 64, y - 64) < 30
    radii = []
    for level in (0.25, 0.5, 0.75):
        before = {**sample(), "masks": [disc], "boxes": np.array([[34.0, 34, 94, 94]])}
        after = Redraw(probability=1.0, smooth=0.15, level=(level, level)).transform(before)
        (mask,) = after["masks"]
        assert np.array_equal(tight_box(mask), after["boxes"][0])
        radii.append(np.sqrt(mask.sum() / np.pi))
        assert (np.hypot(x - 64, y - 64)[mask] < radii[-1] + 1).all()
    # A straight border blurred by sigma is where the normal distribution says: -0.674 sigma at a quarter.
    rng = np.random.default_rng(0)
    sigma = (rng.random(), rng.uniform(0, 0.15))[1] * np.sqrt(disc.sum())
    assert radii[0] > radii[1] > radii[2]
    assert radii[0] - radii[2] == pytest.approx(2 * 0.674 * sigma, rel=0.15)


def test_a_speck_that_another_annotator_would_not_draw_stays():
    before = sample()
    speck = np.zeros((128, 128), dtype=bool)
    speck[60, 60] = True
    before["masks"], before["boxes"] = [speck], np.array([[60.0, 60, 61, 61]])
    after = Redraw(probability=1.0, level=(0.95, 0.95)).transform(before)
    assert np.array_equal(after["masks"][0], speck)
