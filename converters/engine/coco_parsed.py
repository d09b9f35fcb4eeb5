"""A COCO file that has been looked at: what it holds, and what was found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import ConverterError

Coco = dict[str, Any]


class Need(IntEnum):
    """How much of a file its reader relies on; what is not needed is not looked at."""

    ENTRIES = 0  #: images, categories, and which annotation belongs to which
    BOXES = 1  #: and the boxes
    MASKS = 2  #: and sizes and masks


@dataclass(frozen=True)
class Problem:
    """One finding: a short `kind` to count by, and a sentence that says where and what to do."""

    kind: str
    message: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.message}"


@dataclass
class Parsed:
    """A COCO file that has been looked at.

    Attributes:
        content: what the file holds, in COCO's own form.
        problems: what makes it unusable.
        notes: what was taken for what -> how often.
        areas: (n,) pixels of the masks of its n annotations, NaN of those that can't be read; empty where
            masks are not needed.
        mask_boxes: (n, 4) boxes round the masks, x, y, width, height.
        contradictory: (n,) whether the box of an annotation contradicts its mask.
        contradiction: one sentence on those.
    """

    content: Coco
    problems: list[Problem] = field(default_factory=list)
    notes: Counter[str] = field(default_factory=Counter)
    areas: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    mask_boxes: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 4)))
    contradictory: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, bool))
    contradiction: str = ""

    def usable(self, path: Path) -> Coco:
        """The content.

        Raises:
            ConverterError: There is a problem; the message has the first, and how to see all.
        """
        if self.problems:
            rest = len(self.problems) - 1
            more = f" ({rest} more: run 'ultrasam data check {path}')" if rest else ""
            raise ConverterError(f"{path}: {self.problems[0].message}{more}")
        return self.content


def called(annotation: Mapping[str, Any]) -> str:
    """How messages call an annotation."""
    number = annotation.get("id")
    return f"annotation {shown(number) if isinstance(number, str) else number}"


def shown(value: Any) -> str:
    """A value for a message, cut where it is long."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
