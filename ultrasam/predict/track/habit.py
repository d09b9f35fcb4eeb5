"""How the outline of a given mask differs from the model's, so that the model's later ones can be drawn so.

A person may count the wall to an object or not, and a myocardium is a ring where the model fills a disc. The
difference of both in the frame that is given, as signed distances to the outlines on a grid over the object's
box, is added to what the model finds in other frames.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ultrasam.data.boxes import tight_box
from ultrasam.predict.track.distance import signed, surroundings

#: Cells along a side of the grid, and what it shows round the box, in the box's sides.
_CELLS, _ROOM = 48, 0.3
#: What is looked at round a mask, in its longer sides.
_CONTEXT = 0.4


@dataclass(frozen=True)
class Habit:
    """A difference of outlines.

    Attributes:
        difference: (48, 48) float32, given less found distance, in square roots of the object's area.
    """

    difference: np.ndarray

    @classmethod
    def of(cls, given: np.ndarray, found: np.ndarray) -> Habit:
        """The difference of two masks (H, W) bool of one frame, of which the first is not empty."""
        box, whole = tight_box(given), np.zeros(given.shape, dtype=np.float32)
        if found.any():
            x1, y1, x2, y2 = surroundings(box, given.shape, _CONTEXT)
            whole[y1:y2, x1:x2] = signed(given[y1:y2, x1:x2]) - signed(found[y1:y2, x1:x2])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        grid = cv2.warpAffine(whole, _grid(box), (_CELLS, _CELLS), flags=flags)
        return cls(grid / np.float32(np.sqrt(given.sum())))

    def apply(self, found: np.ndarray) -> np.ndarray:
        """A mask (H, W) bool of the model as the person would draw it; as it is where none would be left."""
        if not found.any():
            return found
        box = tight_box(found)
        x1, y1, x2, y2 = surroundings(box, found.shape, _CONTEXT)
        added = cv2.warpAffine(self.difference, _grid(box - np.tile((x1, y1), 2)), (x2 - x1, y2 - y1))
        drawn = np.zeros_like(found)
        drawn[y1:y2, x1:x2] = signed(found[y1:y2, x1:x2]) + added * np.sqrt(found.sum()) > 0
        return drawn if drawn.any() else found


def _grid(box: np.ndarray) -> np.ndarray:
    """The map (2, 3) from cells of the grid to pixels, for a box (4,) xyxy."""
    sides = box[2:] - box[:2]
    cell = (1 + 2 * _ROOM) * sides / _CELLS
    first = box[:2] - _ROOM * sides + cell / 2 - 0.5
    return np.array([[cell[0], 0, first[0]], [0, cell[1], first[1]]])
