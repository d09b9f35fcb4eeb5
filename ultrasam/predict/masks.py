"""Logits to masks, run-length codes and polygons, with work only where a mask is.

Both bilinear steps of segment-anything (network output to input, input to image) are linear, so they are
one matrix for each axis. An interpolated value lies between its neighbours: a pixel whose neighbours in the
network's output are all negative is background, and only the surroundings of positive cells are computed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ultrasam.data import coco
from ultrasam.preprocess import Geometry, Postprocessing

# Cells around the positive ones whose interpolated values can still be positive.
_MARGIN = 2
# Pixels interpolated together.
_BAND = 64


@dataclass(frozen=True)
class Part:
    """The rectangle of a picture outside of which a mask is empty.

    Attributes:
        x: its columns.
        y: its rows.
        mask: (w, h) bool, transposed, as run-length codes go.
    """

    x: slice
    y: slice
    mask: np.ndarray


def masks_of(logits: Tensor, geometry: Geometry, mode: Postprocessing = "logits") -> np.ndarray:
    """Logits (N, 4h, 4w) -> masks (N, H, W) bool; equal to `preprocess.to_masks`.

    Each mask is Fortran-ordered, which is what run-length encoding reads fastest.
    """
    height, width = geometry.original
    # (N, W, H) in memory, seen as (N, H, W).
    masks = np.zeros((len(logits), width, height), dtype=bool)
    for mask, part in zip(masks, _parts(logits, geometry, mode), strict=True):
        if part is not None:
            mask[part.x, part.y] = part.mask
    return masks.transpose(0, 2, 1)


def by_rows(masks: np.ndarray) -> np.ndarray:
    """Fortran-ordered masks (N, H, W) bool in C order, as other packages return them."""
    turned = np.empty(masks.shape, dtype=bool)
    for mask, out in zip(masks, turned, strict=True):
        # OpenCV transposes in blocks, ten times as fast as numpy.
        cv2.transpose(mask.T.view(np.uint8), dst=out.view(np.uint8))
    return turned


def rles_of(logits: Tensor, geometry: Geometry, mode: Postprocessing = "logits") -> list[dict[str, Any]]:
    """Logits (N, 4h, 4w) -> COCO's compressed run-length codes; equal to `encode` of `masks_of`."""
    size = geometry.original
    nothing = np.array([size[0] * size[1]])
    lengths = [
        nothing if part is None else coco.counts(part.mask, (part.x.start, part.y.start), size)
        for part in _parts(logits, geometry, mode)
    ]
    return coco.compress(lengths, size)


def _parts(logits: Tensor, geometry: Geometry, mode: Postprocessing) -> Iterator[Part | None]:
    """Where each of the masks (N, 4h, 4w) is; None for an empty one."""
    for row in logits.detach().float().cpu().numpy():
        # Weights are not negative: a pixel is positive where it touches a foreground cell at all.
        yield _part((row > 0).astype(np.float32) if mode == "official" else row, geometry)


def _part(logits: np.ndarray, geometry: Geometry) -> Part | None:
    """The foreground of logits (4h, 4w)."""
    positive = logits > 0
    rows, columns = (_span(np.asarray(positive.any(axis=axis))) for axis in (1, 0))
    if rows is None or columns is None:
        return None
    down = _axis(logits.shape[0], geometry.size, geometry.resized[0], geometry.original[0])
    across = _axis(logits.shape[1], geometry.size, geometry.resized[1], geometry.original[1])
    y, x = down.pixels(rows), across.pixels(columns)
    if y.start >= y.stop or x.start >= x.stop:
        return None  # it lies in the padding
    tall = np.concatenate([values for _, values in down.bands(y, rows, logits[rows, columns])])
    mask = np.empty((x.stop - x.start, len(tall)), dtype=bool)
    for band, values in across.bands(x, columns, tall.T):
        np.greater(values, 0, out=mask[band])
    return Part(x, y, mask)


def _span(line: np.ndarray) -> slice | None:
    """From the first to the last True, and a little more on both sides."""
    index = np.flatnonzero(line)
    if not len(index):
        return None
    return slice(max(int(index[0]) - _MARGIN, 0), min(int(index[-1]) + 1 + _MARGIN, len(line)))


class _Axis:
    """How the pixels of one axis take their values from the network's cells: weights (pixels, cells)."""

    def __init__(self, weights: np.ndarray) -> None:
        self.weights = weights.astype(np.float32)
        used = weights > 0
        self._first = used.argmax(axis=1)
        self._last = used.shape[1] - 1 - used[:, ::-1].argmax(axis=1)

    def pixels(self, cells: slice) -> slice:
        """The pixels that depend on these cells alone."""
        start = int(np.searchsorted(self._first, cells.start, side="left"))
        return slice(start, int(np.searchsorted(self._last, cells.stop - 1, side="right")))

    def bands(self, pixels: slice, cells: slice, values: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
        """Values (C, K) of some cells at the pixels that depend on them alone, a band of pixels at a time.

        A band takes its values from few cells, so hardly a zero is multiplied, and it stays in the cache.

        Yields:
            the place of the band among the pixels, its values (P, K).
        """
        for start in range(pixels.start, pixels.stop, _BAND):
            stop = min(start + _BAND, pixels.stop)
            first, last = int(self._first[start]), int(self._last[stop - 1]) + 1
            near = values[first - cells.start : last - cells.start]
            yield (
                slice(start - pixels.start, stop - pixels.start),
                self.weights[start:stop, first:last] @ near,
            )


@lru_cache(maxsize=32)
def _axis(cells: int, size: int, resized: int, original: int) -> _Axis:
    return _Axis(_bilinear(resized, original) @ _bilinear(cells, size)[:resized])


def _bilinear(inputs: int, outputs: int) -> np.ndarray:
    """Weights (outputs, inputs) of torch's bilinear interpolation, as float32 has them, in float64."""
    impulses = torch.eye(inputs)[None, :, None]
    weights = F.interpolate(impulses, (1, outputs), mode="bilinear", align_corners=False)
    return weights[0, :, 0].t().double().numpy()


def encode(masks: np.ndarray) -> list[dict[str, Any]]:
    """Masks (N, H, W) bool as COCO's compressed run-length codes."""
    return [coco.encode(mask) for mask in masks]


def polygons(mask: np.ndarray, tolerance: float = 0.0) -> list[list[float]]:
    """The outer outlines of a mask (H, W) as COCO polygons, [x1, y1, x2, y2, ...] each.

    They run along the pixels' outer edges, so that drawing them gives the mask again (holes are filled).

    Args:
        mask: (H, W) bool.
        tolerance: leave out corners that move the outline by less than this many pixels.
    """
    # Twice the size and a border: contour points then lie on half pixels, and outer edges can be told.
    large = np.kron(np.pad(mask, 1), np.ones((2, 2), dtype=np.uint8))
    found = []
    for contour in cv2.findContours(large, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)[0]:
        outline = np.floor((contour.reshape(-1, 2) + 1) / 2) - 1
        if tolerance > 0:
            outline = cv2.approxPolyDP(outline.astype(np.float32), tolerance, True).reshape(-1, 2)
        if len(outline) >= 3:
            found.append([float(v) for v in outline.ravel()])
    return found
