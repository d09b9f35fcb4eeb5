import cv2
import numpy as np
import pytest

from ultrasam.phantom.geometry import pixel_grid
from ultrasam.phantom.outline import KINDS, TABLE, Outline, random_outline


def ellipse(x=0.5, y=0.5, long=0.3, short=0.2, angle=0.0, bend=0.0) -> Outline:
    return Outline(x, y, long, short, angle, bend, np.ones(TABLE, np.float32))


def test_an_even_radius_is_the_analytic_ellipse():
    x, y = pixel_grid(512)
    mask = ellipse(angle=0.4).mask(x, y)
    assert mask.mean() == pytest.approx(np.pi * 0.3 * 0.2, rel=2e-3)
    cos, sin = np.cos(0.4), np.sin(0.4)
    u, v = cos * (x - 0.5) + sin * (y - 0.5), cos * (y - 0.5) - sin * (x - 0.5)
    away = np.abs((u / 0.3) ** 2 + (v / 0.2) ** 2 - 1) > 1e-4
    assert (mask == ((u / 0.3) ** 2 + (v / 0.2) ** 2 < 1))[away].all()


def test_bending_keeps_the_area():
    x, y = pixel_grid(512)
    assert ellipse(bend=0.8).mask(x, y).mean() == pytest.approx(np.pi * 0.06, rel=5e-3)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(4))
def test_the_mask_is_what_the_border_encloses(kind, seed):
    outline = random_outline(np.random.default_rng(seed), kind, 0.5, 0.5, 0.15)
    mask = outline.mask(*pixel_grid(512))
    border = np.stack(outline.border(TABLE // 4), axis=1) * 512 - 0.5
    polygon = np.zeros((512, 512), np.uint8)
    cv2.fillPoly(polygon, [np.round(border * 256).astype(np.int32)], 1, shift=8)
    # The polygon painter also paints the pixels that its edge runs through: a rim of half a pixel.
    rim = cv2.arcLength(border.astype(np.float32), True)
    assert (mask & ~polygon.astype(bool)).sum() < 0.05 * rim
    assert (polygon.astype(bool) ^ mask).sum() < rim


@pytest.mark.parametrize("kind", KINDS)
def test_the_margin_changes_sign_at_the_border(kind):
    outline = random_outline(np.random.default_rng(7), kind, 0.4, 0.6, 0.2)
    assert np.abs(outline.margin(*outline.border(TABLE // 8))).max() < 1e-3


def test_outlines_are_irregular_and_differ_by_kind():
    radii = [random_outline(np.random.default_rng(0), kind, 0.5, 0.5, 0.2).radius for kind in KINDS]
    assert all(radius.std() > 0.02 for radius in radii)
    assert all(np.abs(radii[0] - radius).max() > 0.05 for radius in radii[1:4])


def test_an_object_at_the_image_s_corner_is_cut_and_one_of_one_pixel_is_found():
    x, y = pixel_grid(64)
    corner = ellipse(x=0.0, y=0.0, long=0.25, short=0.25).mask(x, y)
    assert corner.sum() == pytest.approx(np.pi / 4 * 16**2, rel=0.02)
    assert corner[0, 0] and not corner[:, 17:].any()
    dot = ellipse(x=10.5 / 64, y=63.5 / 64, long=0.6 / 64, short=0.6 / 64).mask(x, y)
    assert np.argwhere(dot).tolist() == [[63, 10]]
