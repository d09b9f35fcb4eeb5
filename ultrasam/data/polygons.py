"""Masks to polygons along the outer edges of their pixels: drawing those gives the mask again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
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
    """One ring of several, whole numbers all: short cuts between corners join them, there and back."""
    if len(rings) == 1:
        return rings[0]
    corners = np.concatenate(rings)
    owner = np.repeat(np.arange(len(rings)), [len(ring) for ring in rings])
    cuts: dict[int, list[int]] = defaultdict(list)
    # A minimum spanning tree, by Kruskal's rule: the shortest first, where it joins what is not joined yet.
    group = list(range(len(rings)))
    for here, there in _neighbors(corners, owner):
        first, second = _root(group, int(owner[here])), _root(group, int(owner[there]))
        if first != second:
            group[second] = first
            cuts[here].append(there)
            cuts[there].append(here)
    ends = np.cumsum([len(ring) for ring in rings])
    spans = [range(end - len(ring), end) for ring, end in zip(rings, ends, strict=True)]
    return corners[_walk(spans, owner, cuts)]


def _neighbors(corners: Ring, owner: NDArray[Any]) -> Iterator[tuple[int, int]]:
    """Pairs of corners of two rings whose nearest surroundings touch, nearest first.

    All Euclidean spanning trees run along such pairs (the Delaunay graph, here on the grid of pixels).
    """
    places = (corners - corners.min(axis=0)).astype(np.int64)
    width, height = places.max(axis=0) + 1
    free = np.ones((height, width), dtype=np.uint8)
    free[places[:, 1], places[:, 0]] = 0
    _, labels = cv2.distanceTransformWithLabels(free, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    of_label = np.zeros(labels.max() + 1, dtype=np.int64)
    of_corner = labels[places[:, 1], places[:, 0]]
    of_label[of_corner] = np.arange(len(corners))
    nearest = of_label[labels]
    pairs = np.concatenate(
        [
            np.stack([nearest[:, :-1].ravel(), nearest[:, 1:].ravel()], axis=1),
            np.stack([nearest[:-1].ravel(), nearest[1:].ravel()], axis=1),
            # Rings that touch have a corner each at one place, and the label knows one of them.
            np.stack([np.arange(len(corners)), of_label[of_corner]], axis=1),
        ]
    )
    pairs = np.unique(pairs[owner[pairs[:, 0]] != owner[pairs[:, 1]]], axis=0)
    apart = ((corners[pairs[:, 0]] - corners[pairs[:, 1]]) ** 2).sum(axis=1)
    yield from ((int(here), int(there)) for here, there in pairs[np.argsort(apart, kind="stable")])


def _root(group: list[int], ring: int) -> int:
    while group[ring] != ring:
        group[ring] = group[group[ring]]
        ring = group[ring]
    return ring


def _walk(rings: Sequence[range], owner: NDArray[Any], cuts: Mapping[int, Sequence[int]]) -> list[int]:
    """Once round the first ring, and on the way over each cut round another and back."""
    way: list[int] = []
    seen = {0}
    # What is still to be passed, last first; and whether cuts are taken there, which are taken once.
    ahead = [(corner, True) for corner in reversed(rings[0])]
    while ahead:
        corner, fresh = ahead.pop()
        way.append(corner)
        for there in cuts.get(corner, ()) if fresh else ():
            if owner[there] not in seen:
                seen.add(int(owner[there]))
                ring = rings[owner[there]]
                around = [*range(there, ring.stop), *range(ring.start, there)]
                ahead += [(corner, False), (there, False), *((c, True) for c in reversed(around))]
    return way
