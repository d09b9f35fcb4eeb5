"""Logits to masks and run-length codes, with work only where a mask is.

Both bilinear steps of segment-anything (network output to input, input to image) are linear, so they are
one matrix for each axis. An interpolated value lies between its neighbors: a pixel whose neighbors in the
network's output are all negative is background, and only the surroundings of positive cells are computed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import ArrayLike

from ultrasam.data.run_lengths import compress, counts
from ultrasam.predict.crop import Crop
from ultrasam.predict.once import once
from ultrasam.preprocess import Geometry, Postprocessing

# Cells around the positive ones whose interpolated values can still be positive.
_MARGIN = 2
# Pixels interpolated together.
_BAND = 64


@dataclass(frozen=True)
class Part:
    """The rectangle of an image outside of which a mask is empty.

    Attributes:
        x: its columns.
        y: its rows.
        mask: (w, h) bool, transposed, as run-length codes go.
    """

    x: slice
    y: slice
    mask: np.ndarray

    def moved(self, x: int, y: int) -> Part:
        """The same part, so many pixels further to the right and down."""
        return Part(
            slice(self.x.start + x, self.x.stop + x), slice(self.y.start + y, self.y.stop + y), self.mask
        )

    def within(self, box: np.ndarray) -> Part | None:
        """The pixels that a box (4,) xyxy touches; None where there are none."""
        x1, y1, x2, y2 = (int(v) for v in (*np.floor(box[:2]), *np.ceil(box[2:])))
        x = slice(max(self.x.start, x1), min(self.x.stop, x2))
        y = slice(max(self.y.start, y1), min(self.y.stop, y2))
        if x.start >= x.stop or y.start >= y.stop:
            return None
        columns = slice(x.start - self.x.start, x.stop - self.x.start)
        rows = slice(y.start - self.y.start, y.stop - self.y.start)
        return Part(x, y, self.mask[columns, rows])


@dataclass(frozen=True)
class MaskLogits:
    """What a mask is made from, when it is asked for.

    Attributes:
        logits: (4h, 4w) float32.
        crop: the part of the image that they are of.
        mode: how they become a mask.
        box: (4,) xyxy in the image that holds the object; None where nothing is known.
        finish: what is done to the mask in the end, see `ultrasam.predict.cleanup`; None for nothing.
    """

    logits: np.ndarray
    crop: Crop
    mode: Postprocessing = "logits"
    box: np.ndarray | None = None
    finish: Callable[[Part], Part] | None = None

    @once
    def part(self) -> Part | None:
        """The mask, made when it is first asked for; None where it is empty."""
        # Weights are not negative: a pixel is positive where it touches a foreground cell at all.
        logits = (self.logits > 0).astype(np.float32) if self.mode == "official" else self.logits
        part = _part(logits, self.crop.geometry)
        if part is None:
            return None
        part = part.moved(*self.crop.corner)
        part = part if self.box is None else part.within(self.box)
        return part if part is None or self.finish is None else self.finish(part)


def of_whole(logits: ArrayLike, geometry: Geometry, mode: Postprocessing = "logits") -> list[MaskLogits]:
    """Logits (N, 4h, 4w) of a whole image, ready to be made masks."""
    crop = Crop((0, 0), geometry)
    return [MaskLogits(row, crop, mode) for row in np.asarray(logits, dtype=np.float32)]


def draw(masks: Sequence[MaskLogits], size: tuple[int, int]) -> np.ndarray:
    """N masks of an image of ``size`` (H, W) as (N, H, W) bool.

    Each is Fortran-ordered, which is what run-length encoding reads fastest.
    """
    height, width = size
    # (N, W, H) in memory, seen as (N, H, W).
    drawn = np.zeros((len(masks), width, height), dtype=bool)
    for out, mask in zip(drawn, masks, strict=True):
        part = mask.part
        if part is not None:
            out[part.x, part.y] = part.mask
    return drawn.transpose(0, 2, 1)


def encode(masks: Sequence[MaskLogits], size: tuple[int, int]) -> list[dict[str, Any]]:
    """N masks of an image of ``size`` (H, W) as COCO's compressed run-length codes."""
    nothing = np.array([size[0] * size[1]])
    parts = (mask.part for mask in masks)
    lengths = [
        nothing if part is None else counts(part.mask, (part.x.start, part.y.start), size) for part in parts
    ]
    return compress(lengths, size)


def masks_of(logits: ArrayLike, geometry: Geometry, mode: Postprocessing = "logits") -> np.ndarray:
    """Logits (N, 4h, 4w) of a whole image -> masks (N, H, W) bool; equal to `preprocess.to_masks`."""
    return draw(of_whole(logits, geometry, mode), geometry.original)


def rles_of(logits: ArrayLike, geometry: Geometry, mode: Postprocessing = "logits") -> list[dict[str, Any]]:
    """Logits (N, 4h, 4w) of a whole image -> COCO's compressed run-length codes."""
    return encode(of_whole(logits, geometry, mode), geometry.original)


def upsample(logits: np.ndarray, geometry: Geometry) -> np.ndarray:
    """Logits (M, 4h, 4w) of a whole image -> logits (M, H, W) float32; as `preprocess.upsample_logits`."""
    down, across = (
        _axis(logits.shape[1 + i], geometry.size, geometry.resized[i], geometry.original[i]).weights
        for i in range(2)
    )
    return np.stack([down @ row @ across.T for row in logits.astype(np.float32)])


def by_rows(masks: np.ndarray) -> np.ndarray:
    """Fortran-ordered masks (N, H, W) bool in C order, as other packages return them."""
    turned = np.empty(masks.shape, dtype=bool)
    for mask, out in zip(masks, turned, strict=True):
        # OpenCV transposes in blocks, ten times as fast as numpy.
        cv2.transpose(mask.T.view(np.uint8), dst=out.view(np.uint8))
    return turned


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
    below, above, lower, upper = _neighbors(resized, original)
    first = _bilinear(cells, size)[:resized]
    # The product of the weights of both steps; those of the second are two a row.
    return _Axis(lower[:, None].astype(np.float64) * first[below] + upper[:, None] * first[above])


def _bilinear(inputs: int, outputs: int) -> np.ndarray:
    """Weights (outputs, inputs) of torch's bilinear interpolation, as float32 has them, in float64."""
    below, above, lower, upper = _neighbors(inputs, outputs)
    weights = np.zeros((outputs, inputs))
    rows = np.arange(outputs)
    weights[rows, above] = upper
    weights[rows, below] = lower
    return weights


def _neighbors(inputs: int, outputs: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The two inputs that each output lies between (outputs,) int64, and their weights, float32.

    To the last bit: torch's processors round once after ``scale * (i + 0.5) - 0.5``. At the ends both are one
    input, whose weight is the first.
    """
    scale = np.float32(inputs) / np.float32(outputs)
    middles = (np.arange(outputs) + 0.5) * np.float64(scale) - 0.5
    places = np.maximum(middles.astype(np.float32), np.float32(0))
    below = np.minimum(places.astype(np.int64), inputs - 1)
    above = np.minimum(below + 1, inputs - 1)
    upper = np.clip(places - below.astype(np.float32), 0, 1)
    lower = 1 - upper
    same = below == above
    return below, above, np.where(same, lower + upper, lower), np.where(same, np.float32(0), upper)
