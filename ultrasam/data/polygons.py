"""Masks to polygons along the outer edges of their pixels: drawing those gives the mask again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Ring = NDArray[np.float64]


def polygons(mask: NDArray[Any], tolerance: float = 0.0, *, holes: bool = False) -> list[list[float]]:
    """The outlines of a mask (H, W) as COCO polygons, [x1, y1, x2, y2, ...] each, in pixels.

    Args:
        mask: (H, W) bool.
        tolerance: leave out corners that move the outline by less than this many pixels.
        holes: keep them: a cut of no width leads from an outline to each hole in it. Else they are filled.
    """
    return [[float(v) for v in ring.ravel()] for ring in _outlines(mask, tolerance, holes)]


def one_polygon(mask: NDArray[Any], tolerance: float = 0.0) -> list[float]:
    """A whole mask as a single polygon: cuts of no width join its parts and holes; empty for an empty mask.

    For formats that have one polygon an object. Drawn by the even-odd rule it is the mask; a tool that draws
    the outline itself, one pixel wide, shows the cuts.
    """
    rings = _outlines(mask, tolerance, True)
    return [float(v) for v in _joined(rings).ravel()] if rings else []


def _outlines(mask: NDArray[Any], tolerance: float, holes: bool) -> list[Ring]:
    # Twice the size and a border: contour points then lie on half pixels, and outer edges can be told.
    large = np.kron(np.pad(mask, 1).astype(np.uint8), np.ones((2, 2), dtype=np.uint8))
    if not holes:
        contours = cv2.findContours(large, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)[0]
        rings = (_ring(contour, tolerance) for contour in contours)
        return [ring for ring in rings if ring is not None]
    contours, tree = cv2.findContours(large, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    found = []
    for number, contour in enumerate(contours):
        outer = _ring(contour, tolerance) if tree[0, number, 3] < 0 else None
        if outer is None:
            continue
        inner = [_ring(contours[i], tolerance, hole=True) for i in np.flatnonzero(tree[0, :, 3] == number)]
        found.append(_joined([outer, *(ring for ring in inner if ring is not None)]))
    return found


def _ring(contour: NDArray[Any], tolerance: float, hole: bool = False) -> Ring | None:
    """A contour of the large mask as corners (n, 2) of pixels.

    A hole's contour goes along the pixels round it: its inner edges are the other ones.
    """
    points = contour.reshape(-1, 2)
    corners = (np.floor((points + 1) / 2) if not hole else np.floor(points / 2 + 0.5)) - 1
    if tolerance > 0:
        fewer = cv2.approxPolyDP(corners.astype(np.float32), tolerance, True).reshape(-1, 2)
        corners = fewer.astype(np.float64) if len(fewer) >= 3 else corners
    return corners if len(corners) >= 3 else None


def _joined(rings: Sequence[Ring]) -> Ring:
    """One ring of several, each joined to the nearest corner of what is joined already, there and back."""
    whole, left = rings[0], list(rings[1:])
    while left:
        best = min(range(len(left)), key=lambda i: _nearest(whole, left[i])[0])
        _, here, there = _nearest(whole, left[best])
        ring = left.pop(best)
        around = np.concatenate([ring[there:], ring[: there + 1]])
        whole = np.concatenate([whole[: here + 1], around, whole[here:]])
    return whole


def _nearest(first: Ring, second: Ring) -> tuple[float, int, int]:
    """The squared distance of the nearest corners of two rings, and which they are."""
    best = (np.inf, 0, 0)
    for start in range(0, len(first), 512):
        apart = ((first[start : start + 512, None] - second[None]) ** 2).sum(axis=2)
        here, there = np.unravel_index(apart.argmin(), apart.shape)
        if apart[here, there] < best[0]:
            best = (float(apart[here, there]), start + int(here), int(there))
    return best
