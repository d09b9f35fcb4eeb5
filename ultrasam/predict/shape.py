"""Perimeter and fitted ellipse of a mask, and the volume that two planes give."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from ultrasam.errors import DataError

_DISCS = 20


@dataclass(frozen=True)
class Ellipse:
    """An ellipse in the units of the spacing.

    Attributes:
        center: x, y.
        major: its longer diameter.
        minor: its shorter diameter.
        angle: of the longer one against the x axis, in degrees, clockwise as seen.
    """

    center: tuple[float, float]
    major: float
    minor: float
    angle: float

    @property
    def circumference(self) -> float:
        """By Ramanujan's second approximation (Modular equations and approximations to pi, 1914)."""
        a, b = self.major / 2, self.minor / 2
        h = ((a - b) / (a + b)) ** 2
        return math.pi * (a + b) * (1 + 3 * h / (10 + math.sqrt(4 - 3 * h)))


def perimeter(mask: np.ndarray, spacing: tuple[float, float] = (1.0, 1.0)) -> float:
    """The length of a mask's outline, holes included, in units of the spacing.

    By Crofton's formula with lines in four directions, for pixels of any shape (Lehmann and Legland,
    Efficient N-dimensional surface estimation using Crofton formula and run-length encoding, Insight Journal
    2012). Within 2 % for round objects, 3 % for thin ones; corners of squares are cut, which takes 5 %.

    Args:
        mask: (H, W) bool.
        spacing: (x, y).
    """
    padded = np.pad(mask, 1)
    dx, dy = spacing
    diagonal = math.hypot(dx, dy)
    rise = math.atan2(dy, dx)
    crossings = (
        np.count_nonzero(padded[:, 1:] != padded[:, :-1]),
        np.count_nonzero(padded[1:] != padded[:-1]),
        np.count_nonzero(padded[1:, 1:] != padded[:-1, :-1])
        + np.count_nonzero(padded[1:, :-1] != padded[:-1, 1:]),
    )
    # Each direction: the angle that it stands for, and the distance of its lines.
    weights = (rise * dy, (math.pi / 2 - rise) * dx, math.pi / 4 * dx * dy / diagonal)
    return 0.5 * sum(count * weight for count, weight in zip(crossings, weights, strict=True))


def ellipse(mask: np.ndarray, spacing: tuple[float, float] = (1.0, 1.0)) -> Ellipse | None:
    """The ellipse of a mask's outline, by direct least squares (Fitzgibbon, Pilu and Fisher, 1999).

    As the head circumference is measured on the annotations of HC18 (van den Heuvel et al., PLOS ONE 2018).

    Args:
        mask: (H, W) bool; all of its outer outline counts.
        spacing: (x, y).

    Returns:
        it, or None for a mask of too few pixels to have one.
    """
    edge = _edge(mask) * np.array(spacing)
    if len(edge) < 8:
        return None
    # Far from the origin, or in tiny units, the fit would lose digits.
    middle, unit = edge.mean(axis=0), float(edge.std()) or 1.0
    (x, y), (one, other), angle = cv2.fitEllipseDirect(((edge - middle) / unit).astype(np.float32))
    if not all(map(math.isfinite, (x, y, one, other))) or min(one, other) <= 0:
        return None
    center = float(x * unit + middle[0]), float(y * unit + middle[1])
    turned = angle if one >= other else angle + 90
    return Ellipse(center, max(one, other) * unit, min(one, other) * unit, turned % 180)


def _edge(mask: np.ndarray) -> np.ndarray:
    """The middles (K, 2) xy of the sides between a mask without its holes and what is around it."""
    outlines = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]
    filled = np.zeros(mask.shape, np.uint8)
    cv2.drawContours(filled, outlines, -1, 1, cv2.FILLED)
    padded = np.pad(filled, 1)
    y, x = np.nonzero(padded[:, 1:] != padded[:, :-1])
    beside = np.stack([x, y - 0.5], axis=1)
    y, x = np.nonzero(padded[1:] != padded[:-1])
    return np.concatenate([beside, np.stack([x - 0.5, y], axis=1)])


def discs_volume(
    one: np.ndarray,
    other: np.ndarray,
    spacing: tuple[float, float],
    other_spacing: tuple[float, float] | None = None,
) -> float:
    """The volume, in cubed units of the spacing, of a body cut in two planes at right angles along its axis.

    The biplane method of discs (modified Simpson's rule), as for the left ventricle in views of two and four
    chambers: pi / 4 * L / 20 * the sum of a_i * b_i over 20 discs (Lang et al., Recommendations for cardiac
    chamber quantification, J Am Soc Echocardiogr 2015). The long axis of a mask is its largest diameter, L
    the longer one of the two.

    Args:
        one: (H, W) bool.
        other: the same body in the other plane.
        spacing: (x, y) of the first.
        other_spacing: of the second, if it is another.

    Raises:
        DataError: a mask is empty.
    """
    length_one, widths_one = _discs(one, spacing)
    length_other, widths_other = _discs(other, other_spacing or spacing)
    height = max(length_one, length_other) / _DISCS
    # Which end of an axis is which is the same for both: the wider half first.
    return float(math.pi / 4 * height * np.sum(widths_one * widths_other))


def _discs(mask: np.ndarray, spacing: tuple[float, float]) -> tuple[float, np.ndarray]:
    """The length of a mask's long axis, and its width across it in the middle of each disc."""
    edge = _edge(mask) * np.array(spacing)
    if not len(edge):
        raise DataError("an empty mask has no volume")
    hull = cv2.convexHull(edge.astype(np.float32)).reshape(-1, 2).astype(np.float64)
    gaps = hull[:, None] - hull[None]
    i, j = np.unravel_index(int(np.hypot(gaps[..., 0], gaps[..., 1]).argmax()), gaps.shape[:2])
    length = float(np.hypot(*gaps[i, j]))
    along = gaps[i, j] / length
    y, x = np.nonzero(mask)
    pixels = np.stack([x + 0.5, y + 0.5], axis=1) * np.array(spacing) - hull[j]
    place = np.clip((pixels @ along / length * _DISCS).astype(int), 0, _DISCS - 1)
    # The area of a disc's slice by its height: right for outlines that are not straight too.
    areas = np.bincount(place, minlength=_DISCS) * spacing[0] * spacing[1]
    widths = areas / (length / _DISCS)
    half = _DISCS // 2
    return length, widths if widths[:half].sum() >= widths[half:].sum() else widths[::-1]
