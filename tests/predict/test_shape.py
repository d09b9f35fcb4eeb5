"""Perimeters, ellipses and volumes against those that can be worked out."""

import math

import numpy as np
import pytest
from scipy.special import ellipe

from ultrasam.errors import DataError
from ultrasam.predict.shape import discs_volume, ellipse, perimeter

Y, X = np.mgrid[:260, :320] + 0.5


def filled(a, b, turn=0.0, spacing=(1.0, 1.0), center=(160.3, 130.2)):
    """An ellipse of semi-axes a and b in units of the spacing."""
    x, y = (X - center[0]) * spacing[0], (Y - center[1]) * spacing[1]
    along, across = x * math.cos(turn) + y * math.sin(turn), y * math.cos(turn) - x * math.sin(turn)
    return (along / a) ** 2 + (across / b) ** 2 <= 1


def exact(a, b):
    """The circumference, by the complete elliptic integral."""
    return 4 * a * ellipe(1 - (b / a) ** 2)


@pytest.mark.parametrize("spacing", [(1.0, 1.0), (0.2, 0.2), (0.2, 0.35)])
@pytest.mark.parametrize(("a", "b", "turn"), [(60, 60, 0.0), (90, 60, 0.4), (100, 30, 1.1), (50, 45, 2.5)])
def test_ellipses(a, b, turn, spacing):
    a, b = a * spacing[0], b * spacing[0]
    mask = filled(a, b, turn, spacing)
    found = ellipse(mask, spacing)
    assert (found.major / 2, found.minor / 2) == pytest.approx((a, b), rel=5e-3)
    assert found.circumference == pytest.approx(exact(a, b), rel=5e-3)
    assert found.center == pytest.approx((160.3 * spacing[0], 130.2 * spacing[1]), abs=0.2 * spacing[1])
    if a > 1.2 * b:
        assert found.angle == pytest.approx(math.degrees(turn) % 180, abs=1)
    assert perimeter(mask, spacing) == pytest.approx(exact(a, b), rel=0.02 if a < 2 * b else 0.031)


def test_holes_count_for_the_perimeter_alone():
    ring = filled(60, 60) & ~filled(30, 30)
    assert perimeter(ring) == pytest.approx(2 * math.pi * 90, rel=0.01)
    assert ellipse(ring).major == pytest.approx(120, rel=5e-3)


def test_masks_without_an_ellipse():
    assert ellipse(np.zeros((9, 9), bool)) is None and perimeter(np.zeros((9, 9), bool)) == 0
    one = np.zeros((9, 9), bool)
    one[4, 4] = True
    assert ellipse(one) is None


@pytest.mark.parametrize("spacing", [(1.0, 1.0), (0.3, 0.3)])
def test_volumes_of_discs(spacing):
    a, b, c = (length * spacing[0] for length in (100, 50, 35))
    one, other = filled(a, b, 0.3, spacing), filled(a, c, 1.2, spacing)
    assert discs_volume(one, other, spacing) == pytest.approx(4 / 3 * math.pi * a * b * c, rel=0.01)
    # The second plane in pixels half as large.
    fine = filled(a / 2, c / 2, 1.2, (spacing[0] / 2, spacing[1] / 2))
    half = tuple(s / 2 for s in spacing)
    assert discs_volume(one, filled(a, c, 1.2, spacing), spacing, spacing) == discs_volume(
        one, other, spacing
    )
    assert discs_volume(fine, fine, half) == pytest.approx(4 / 3 * math.pi * a * c * c / 8, rel=0.01)
    # Two halves whose wide ends lie on other sides: a half ellipsoid's volume all the same.
    with pytest.raises(DataError, match="empty"):
        discs_volume(one, np.zeros_like(one), spacing)
