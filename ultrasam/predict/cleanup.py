"""An object is in one piece and has no holes: masks made so, as far as the prompts allow.

A network decides pixel by pixel; what it is not sure of comes in crumbs and with holes. Of the pieces stay
those that were clicked; without one in any, the largest, which within a box is what fills it best.
Holes are closed, but for those that a negative click lies in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np

from ultrasam.predict.masks import MaskLogits, Part
from ultrasam.predict.object_prompt import ObjectPrompt
from ultrasam.types import NEGATIVE, POSITIVE


@dataclass(frozen=True)
class Cleanup:
    """What a mask has to agree with when it is cleaned.

    Attributes:
        inside: (K, 2) xy in the image, points of the object.
        outside: (K, 2) xy, points that are none.
    """

    inside: np.ndarray
    outside: np.ndarray

    @classmethod
    def of(cls, entry: ObjectPrompt) -> Cleanup:
        """What a prompt says."""
        points = np.zeros((0, 2)) if entry.points is None else np.asarray(entry.points, dtype=np.float64)
        points = points.reshape(-1, 2)
        labels = np.ones(len(points)) if entry.labels is None else np.asarray(entry.labels).reshape(-1)
        return cls(points[labels == POSITIVE], points[labels == NEGATIVE])

    def __call__(self, part: Part) -> Part:
        """The part of an image that a mask takes, cleaned."""
        pieces = _kept(part, self.inside)
        return replace(part, mask=_closed(pieces, _cells(part, self.outside)))


def cleaned(sources: Sequence[MaskLogits], objects: Sequence[ObjectPrompt]) -> list[MaskLogits]:
    """What N masks are made from, so that they come out clean."""
    return [replace(mask, finish=Cleanup.of(entry)) for mask, entry in zip(sources, objects, strict=True)]


def pieces(mask: np.ndarray) -> int:
    """How many pieces a mask (H, W) is in; pixels that touch at a corner are together."""
    return cv2.connectedComponents(np.ascontiguousarray(mask).view(np.uint8), connectivity=8)[0] - 1


def _kept(part: Part, inside: np.ndarray) -> np.ndarray:
    """The pieces (w, h) that were clicked, or the largest."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(
        np.ascontiguousarray(part.mask).view(np.uint8), connectivity=8
    )
    if count <= 2:
        return part.mask
    clicked = {int(labels[cell]) for cell in _cells(part, inside)} - {0}
    kept = clicked or {1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())}
    return np.isin(labels, list(kept))


def _closed(mask: np.ndarray, outside: Sequence[tuple[int, int]]) -> np.ndarray:
    """The mask (w, h) with its holes closed, but for those with a negative click."""
    # A border round it, so that all that is outside hangs together.
    background = np.pad(~mask, 1, constant_values=True).view(np.uint8)
    count, labels = cv2.connectedComponents(background, connectivity=4)
    if count <= 2:
        return mask
    open_ = {int(labels[0, 0]), *(int(labels[x + 1, y + 1]) for x, y in outside)} - {0}
    closed = ~np.isin(labels[1:-1, 1:-1], list(open_))
    return closed


def _cells(part: Part, points: Any) -> list[tuple[int, int]]:
    """The cells of a part's mask that points (K, 2) of the image lie in; those outside of it are left out."""
    found = []
    for x, y in np.floor(points).astype(int):
        column, row = int(x) - part.x.start, int(y) - part.y.start
        if 0 <= column < part.mask.shape[0] and 0 <= row < part.mask.shape[1]:
            found.append((column, row))
    return found
