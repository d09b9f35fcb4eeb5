import numpy as np
import pytest

from ultrasam.errors import PromptError
from ultrasam.evaluate.baselines import ellipse_in_box, grow_region
from ultrasam.phantom import simulate


def iou(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / (a | b).sum())


def disc(size: int, x: float, y: float, radius: float) -> np.ndarray:
    rows, columns = np.mgrid[:size, :size] + 0.5
    return (columns - x) ** 2 + (rows - y) ** 2 < radius**2


@pytest.mark.parametrize("box", [(10, 20, 110, 60), (0, 0, 200, 200), (30.25, 40.5, 91.75, 180.5)])
def test_an_ellipse_has_the_analytic_area_and_touches_the_box(box):
    mask = ellipse_in_box(box, (200, 220))
    x1, y1, x2, y2 = box
    assert mask.shape == (200, 220) and mask.dtype == bool
    assert mask.sum() == pytest.approx(np.pi / 4 * (x2 - x1) * (y2 - y1), rel=0.01)
    rows, columns = np.nonzero(mask)
    found = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
    assert np.abs(np.subtract(found, box)).max() <= 1


def test_an_ellipse_uses_pixel_centers():
    assert np.argwhere(ellipse_in_box((3, 2, 4, 3), (6, 8))).tolist() == [[2, 3]]
    assert np.argwhere(ellipse_in_box((0, 0, 2, 2), (6, 8))).tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]


def test_an_ellipse_is_cut_by_the_image():
    whole = ellipse_in_box((20, 20, 60, 60), (80, 80))
    assert (ellipse_in_box((-20, -20, 20, 20), (40, 40)) == whole[40:, 40:]).all()
    assert not ellipse_in_box((100, 100, 120, 120), (40, 40)).any()


@pytest.mark.parametrize("box", [(5, 5, 5, 9), (5, 9, 8, 9), (9, 5, 3, 8), (1, 2, 3), (0, 0, np.nan, 4)])
def test_an_empty_or_broken_box_is_named(box):
    with pytest.raises(PromptError, match="box"):
        ellipse_in_box(box, (20, 20))


@pytest.mark.parametrize("size", [128, 256, 700])
@pytest.mark.parametrize("sign", [-1, 1])
def test_growing_finds_a_disc_in_speckle(size, sign):
    truth = disc(size, 0.55 * size, 0.45 * size, 0.2 * size)
    rng = np.random.default_rng(0)
    image = np.clip(110 + sign * 70 * truth + rng.normal(0, 20, truth.shape), 0, 255).astype(np.uint8)
    region = grow_region(image, (0.5 * size, 0.5 * size))
    assert region.shape == truth.shape and region.dtype == bool
    assert iou(region, truth) > 0.9
    assert iou(grow_region(np.repeat(image[..., None], 3, axis=2), (0.5 * size, 0.5 * size)), truth) > 0.9


def test_growing_fills_holes_and_cuts_bridges():
    truth = disc(256, 90, 128, 45)
    dark = (truth & ~disc(256, 105, 128, 9)) | disc(256, 200, 128, 40)
    dark[126:129, 90:200] = True
    image = np.where(dark, 30, 150).astype(np.uint8)
    assert iou(grow_region(image, (75, 128)), truth) > 0.9


def test_growing_in_a_flat_image_gives_a_small_disc():
    region = grow_region(np.full((64, 96), 80, np.uint8), (95.5, 0.5))
    assert region[0, 95] and 0 < region.sum() < 200


def test_growing_is_deterministic_and_decent_on_phantoms():
    overlaps = []
    for index in range(20):
        phantom = simulate(11, index, organ="neck")
        for item in phantom.objects:
            rows, columns = np.nonzero(item.mask)
            point = (np.median(columns) + 0.5, np.median(rows) + 0.5)
            overlaps.append(iou(grow_region(phantom.image, point), item.mask))
    assert np.median(overlaps) > 0.6
    assert (grow_region(phantom.image, point) == grow_region(phantom.image, point)).all()


@pytest.mark.parametrize("point", [(-1, 5), (5, 20), (30, 5), (np.nan, 1), (1, 2, 3)])
def test_a_point_outside_of_the_image_is_named(point):
    with pytest.raises(PromptError, match="point"):
        grow_region(np.zeros((20, 30), np.uint8), point)
