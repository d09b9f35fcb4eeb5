"""Degradations: what each does to images whose answer is known, and that it costs little."""

import time

import numpy as np
import pytest

from ultrasam.data.degrade import KINDS, degrade
from ultrasam.errors import UltraSamError
from ultrasam.phantom import simulate


def scan(size: int = 256) -> np.ndarray:
    return simulate(3, 1, size=size, organ="neck").image


def rng() -> np.random.Generator:
    return np.random.default_rng(5)


@pytest.mark.parametrize("kind", KINDS)
def test_shape_seed_and_steps(kind):
    image = scan()
    before = image.copy()
    assert (degrade(image, kind, 0, rng()) == image).all()
    changes = []
    for strength in (0.25, 0.5, 1.0):
        worse = degrade(image, kind, strength, rng())
        assert worse.shape == image.shape and worse.dtype == np.uint8
        assert (worse == degrade(image, kind, strength, rng())).all()
        changes.append(np.abs(worse.astype(float) - image).mean())
    assert 0.1 < changes[0] < changes[1] < changes[2] < 60
    assert (image == before).all()


@pytest.mark.parametrize("kind", KINDS)
def test_color_follows_gray(kind):
    gray = scan()[:200, :180]
    gray = gray if gray.ndim == 2 else np.ascontiguousarray(gray[:, :, 0])
    rgb = np.repeat(gray[:, :, None], 3, axis=2)
    expected = degrade(gray, kind, 0.7, rng())
    assert (degrade(rgb, kind, 0.7, rng()) == expected[:, :, None]).all()
    # One colored pixel takes the way of color images, with the same result away from it.
    rgb[-1, -1] = (200, 30, 30)
    far = (slice(0, 120), slice(0, 100))
    assert (degrade(rgb, kind, 0.7, rng())[far] == expected[far][:, :, None]).mean() > 0.999


@pytest.mark.parametrize("kind", KINDS)
def test_tiny_and_black_images(kind):
    for shape in ((1, 1), (1, 9, 3), (40, 2)):
        assert degrade(np.full(shape, 90, np.uint8), kind, 1, rng()).shape == shape
    assert not degrade(np.zeros((64, 96), np.uint8), kind, 1, rng()).any()


def test_downsampling_and_fewer_lines_keep_what_they_should():
    # Stripes as fine as a pixel vanish; bands that are constant along a line survive lost lines.
    columns = np.tile(np.array([40, 200], np.uint8), (256, 128))
    assert degrade(columns, "downsample", 0.25, rng())[8:-8, 8:-8].std() < 5 < columns.std()
    assert (degrade(columns.T, "lines", 1, rng()) == columns.T).all()
    assert len(np.unique(degrade(columns, "lines", 1, rng())[0])) < len(columns)


def test_noise_has_the_stated_deviation():
    flat = np.full((256, 256), 128, np.uint8)
    assert degrade(flat, "speckle", 1, rng()).std() == pytest.approx(0.35 * 128, rel=0.05)
    worse = degrade(flat, "noise", 1, rng())
    assert worse[:20].std() == pytest.approx(16, rel=0.1) and worse[-20:].std() == pytest.approx(43, rel=0.1)


def test_blur_is_wider_across_and_scales_with_the_image():
    point = np.zeros((256, 256), np.uint8)
    point[128, 128] = 255
    big = np.zeros((512, 512), np.uint8)
    big[254:258, 254:258] = 255
    spread = degrade(np.where(point, 255, 0).astype(np.uint8), "blur", 0.25, rng()).astype(float)
    assert spread.sum(axis=0).std() < spread.sum(axis=1).std()
    at = np.argwhere(degrade(big, "blur", 0.5, rng()) > 1)
    extent = at.max(axis=0) - at.min(axis=0)
    assert extent[1] > 1.5 * extent[0]


def test_gain_shifts_both_ways_and_leaves_black_alone():
    image = np.zeros((128, 128), np.uint8)
    image[:, 40:] = 120
    shifts = [
        float(degrade(image, "gain", 0.8, np.random.default_rng(i))[:, 60:].mean()) - 120 for i in range(12)
    ]
    assert min(shifts) < -15 and max(shifts) > 15
    assert not degrade(image, "gain", 1, rng())[:, :30].any()


def test_bad_arguments_are_named():
    image = scan()
    with pytest.raises(UltraSamError, match="unknown degradation 'fog'; there are downsample"):
        degrade(image, "fog", 0.5, rng())
    for strength in (-0.1, 1.5, float("nan")):
        with pytest.raises(UltraSamError, match="from 0 to 1"):
            degrade(image, "blur", strength, rng())
    for bad in (image.astype(float), np.zeros((0, 5), np.uint8), np.zeros(5, np.uint8)):
        with pytest.raises(UltraSamError, match="uint8"):
            degrade(bad, "blur", 0.5, rng())


def test_quick_enough_for_training():
    image = np.repeat(scan(352)[..., None], 3, axis=2) if scan(352).ndim == 2 else scan(352)
    for kind in KINDS:
        times = []
        for _ in range(3):
            start = time.process_time()
            degrade(image, kind, 0.7, rng())
            times.append(time.process_time() - start)
        assert min(times) < 0.1, kind
