"""The scan sector of ultrasound pictures: where echoes are drawn, apart from names, scales and logos."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import cv2
import numpy as np

from ultrasam.errors import DataError

#: Gray values above the background that count as lit.
_LIT = 6
#: What is thinner than the picture's shorter side by this is text or a scale.
_THIN = 14
#: Pixels that are kept around the fitted shape, so that none of its edge is lost.
MARGIN = 2
#: Pixels by which fitted sides and arcs may be off.
_SLACK = 1.75
#: The least overlap (IoU) of the lit body and the shape fitted to it; below that the shape is not known.
_AGREEMENT = 0.9
#: Degrees between sides that count as parallel.
_PARALLEL = 3.0
_TRIALS = 400
#: Inner radius in pixels below which there is no inner arc.
_POINT = 10

#: Edge points (N, 2) xy -> the line x = a + b * y that most of them lie on.
Line = tuple[float, float]


@dataclass(frozen=True)
class Sector:
    """A scan sector.

    Attributes:
        mask: (H, W) bool, with `MARGIN`.
        kind: ``fan`` or ``rectangle``.
        agreement: IoU of the fitted shape and the lit body that it was fitted to.
    """

    mask: np.ndarray
    kind: str
    agreement: float


def find_sector(brightest: np.ndarray) -> Sector:
    """The scan sector of a picture, or of the brightest values of each pixel of a clip.

    The largest lit body that is not thin gets two straight sides by consensus; where they meet, it is a fan
    of two arcs around that point, where they are parallel a rectangle (a parallelogram if it is steered).

    Args:
        brightest: (H, W) uint8.

    Raises:
        DataError: no shape fits, or there is a second body; why.
    """
    lit, body = _body(brightest)
    left, right = _side(body, last=False), _side(body, last=True)
    shape, kind, body = _shape(lit, body, left, right)
    union = np.count_nonzero(shape | body)
    agreement = np.count_nonzero(shape & body) / union if union else 0.0
    if agreement < _AGREEMENT:
        raise DataError(
            f"the lit area is neither a fan nor a rectangle (a fitted {kind} covers it to {agreement:.2f}, "
            f"{_AGREEMENT} is asked for)"
        )
    grown = cv2.dilate(shape.astype(np.uint8), _disc(MARGIN)) > 0
    return Sector(grown, kind, round(agreement, 4))


def _body(brightest: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What is lit, holes filled, and the largest body of it without what is thin; (H, W) bool each."""
    short = min(brightest.shape)
    if short < 64:
        raise DataError(f"the picture is too small ({brightest.shape[1]} x {brightest.shape[0]})")
    border = np.concatenate([brightest[0], brightest[-1], brightest[:, 0], brightest[:, -1]])
    ground = int(np.bincount(border, minlength=256).argmax())
    lit = (np.abs(brightest.astype(np.int16) - ground) > _LIT).astype(np.uint8)
    # Speckle becomes one body; its edge stays where it is.
    closed = cv2.morphologyEx(lit, cv2.MORPH_CLOSE, _disc(max(2, short // 80)))
    filled = _filled(closed)
    thick = cv2.morphologyEx(filled, cv2.MORPH_OPEN, _disc(max(3, short // (2 * _THIN))))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(thick)
    areas = stats[1:, cv2.CC_STAT_AREA]
    if count < 2 or areas.max() < 0.04 * brightest.size:
        raise DataError("no lit area is large enough to be the scan sector")
    if count > 2 and np.sort(areas)[-2] > 0.1 * areas.max():
        raise DataError("there are several lit areas, such as two pictures side by side")
    body = labels == 1 + int(areas.argmax())
    if body.mean() > 0.97:
        raise DataError("the whole picture is lit: there is no edge to find")
    return filled > 0, body


def _filled(mask: np.ndarray) -> np.ndarray:
    outlines = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]
    filled = np.zeros_like(mask)
    cv2.drawContours(filled, outlines, -1, 1, cv2.FILLED)
    return filled


def _side(body: np.ndarray, last: bool) -> Line:
    """The straight side on the left, or on the right, as x = a + b * y of pixel centers."""
    rows = np.flatnonzero(body.any(axis=1))
    flipped = body[rows][:, ::-1] if last else body[rows]
    x = flipped.argmax(axis=1)
    x = body.shape[1] - 1 - x if last else x
    line = _consensus(rows.astype(float), x.astype(float))
    if line is None:
        raise DataError(f"the {'right' if last else 'left'} side of the lit area is not straight")
    return line


def _consensus(at: np.ndarray, values: np.ndarray) -> Line | None:
    """The line values = a + b * at with most points within 1.5 of it (RANSAC); None below a third."""
    rng = np.random.default_rng(0)
    best: np.ndarray | None = None
    for _ in range(_TRIALS):
        i, j = rng.choice(len(at), 2, replace=False)
        if abs(at[i] - at[j]) < len(at) / 8:
            continue
        slope = (values[j] - values[i]) / (at[j] - at[i])
        near = np.abs(values - values[i] - slope * (at - at[i])) < 1.5
        if best is None or near.sum() > best.sum():
            best = near
    if best is None or best.sum() < len(at) / 3:
        return None
    slope, start = np.polyfit(at[best], values[best], 1)
    return float(start), float(slope)


def _shape(lit: np.ndarray, body: np.ndarray, left: Line, right: Line) -> tuple[np.ndarray, str, np.ndarray]:
    """The fitted shape, its kind, and the body with what was thin of it between its sides."""
    y, x = np.mgrid[: body.shape[0], : body.shape[1]].astype(np.float32)
    between = (x >= left[0] + left[1] * y - _SLACK) & (x <= right[0] + right[1] * y + _SLACK)
    labels = cv2.connectedComponents(((lit & between) | (body & between)).astype(np.uint8))[1]
    body = labels == np.bincount(labels[body & between]).argmax()
    opening = math.degrees(math.atan(right[1]) - math.atan(left[1]))
    if abs(opening) < _PARALLEL:
        share = body.sum(axis=1) / np.maximum(between.sum(axis=1), 1)
        rows = np.flatnonzero(share > 0.5)
        if not len(rows):
            raise DataError("the lit area has no straight sides")
        return between & (y >= rows[0] - _SLACK) & (y <= rows[-1] + _SLACK), "rectangle", body
    if opening < 0:
        raise DataError("the sides of the lit area meet below it")
    # Where the sides meet.
    top = (left[0] - right[0]) / (right[1] - left[1])
    middle = left[0] + left[1] * top
    radius, angle = np.hypot(x - middle, y - top), np.arctan2(x - middle, y - top)
    inner, outer = _arcs(radius[body], angle[body])
    # Sides that end in a point.
    inner = 0.0 if inner < _POINT else inner
    # The picture of some scanners is cut off straight below.
    rows = np.flatnonzero(body.sum(axis=1) > 0.02 * body.sum(axis=1).max())
    ring = (radius >= inner - _SLACK) & (radius <= outer + _SLACK) & (y >= top - _SLACK)
    return between & ring & (y <= rows[-1] + _SLACK), "fan", body


def _arcs(radii: np.ndarray, angles: np.ndarray) -> tuple[float, float]:
    """Inner and outer radius: the ends of the body along rays, and what most of them agree on."""
    edges = np.linspace(angles.min(), angles.max(), 65)
    rays = [radii[(angles >= a) & (angles < b)] for a, b in itertools.pairwise(edges)]
    rays = [ray for ray in rays if len(ray)]
    nearest, farthest = [float(ray.min()) for ray in rays], [float(ray.max()) for ray in rays]
    # Toward the inner arc rays are narrow, and some miss it; beyond the outer one text may lie.
    return float(np.percentile(nearest, 25)), float(np.percentile(farthest, 75))


def _disc(radius: int) -> np.ndarray:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
