"""How well one object was followed through one clip."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ultrasam.evaluate.cine.davis import boundary_f
from ultrasam.evaluate.metrics import Mask, iou

#: An object is lost in the first frame in which it can be seen and J is below this.
LOST = 0.5


@dataclass(frozen=True)
class ObjectScores:
    """The scores of an object in the K frames after the one that it was given in.

    Attributes:
        j: (K,) region accuracy of each frame.
        f: (K,) boundary accuracy.
        seen: (K,) whether the object can be seen.
        found: (K,) whether there was a mask.
        area: (K,) area found over true area, NaN where one is 0.
        steady: (K - 1,) 1 less the difference of two overlaps: of what was found in two frames in a row, and
            of the true masks in them. 1 where it changes as much as the object does.
    """

    j: list[float]
    f: list[float]
    seen: list[bool]
    found: list[bool]
    area: list[float]
    steady: list[float]

    @property
    def until_loss(self) -> int:
        """Frames before the first in which the object can be seen and is not found again; K for none."""
        for frame, (j, seen) in enumerate(zip(self.j, self.seen, strict=True)):
            if seen and j < LOST:
                return frame
        return len(self.j)

    @property
    def after_return(self) -> list[float]:
        """J of the frames in which the object can be seen after one in which it could not."""
        away = self.seen.index(False) if False in self.seen else len(self.seen)
        return [j for j, seen in zip(self.j[away:], self.seen[away:], strict=True) if seen]

    @property
    def absences(self) -> list[bool]:
        """Of the frames in which the object can't be seen, whether that was noticed."""
        return [not found for found, seen in zip(self.found, self.seen, strict=True) if not seen]


def score(found: Sequence[Mask], targets: Sequence[Mask]) -> ObjectScores:
    """Score an object.

    Args:
        found: K + 1 masks (H, W) bool; the first was given and is not scored.
        targets: the true ones; empty where it can't be seen.
    """
    pairs = list(zip(found, targets, strict=True))
    steady = [1 - abs(iou(a, b) - iou(c, d)) for (a, c), (b, d) in itertools.pairwise(pairs[1:])]
    areas = [(int(mask.sum()), int(target.sum())) for mask, target in pairs[1:]]
    return ObjectScores(
        j=[iou(*pair) for pair in pairs[1:]],
        f=[boundary_f(*pair) for pair in pairs[1:]],
        seen=[bool(target.any()) for _, target in pairs[1:]],
        found=[bool(mask.any()) for mask, _ in pairs[1:]],
        area=[mask / target if mask and target else np.nan for mask, target in areas],
        steady=steady,
    )
