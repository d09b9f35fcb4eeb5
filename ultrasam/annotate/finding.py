"""What a trained model that needs no prompt proposes; who starts a session gives it one as a function."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Finding:
    """One object that a model has found.

    Attributes:
        mask: (H, W) bool.
        name: of its class.
        score: how sure the model is, 0 to 1.
    """

    mask: np.ndarray
    name: str
    score: float


@dataclass(frozen=True)
class Finder:
    """A trained model.

    Attributes:
        find: from an image (H, W, 3) uint8 RGB to what is in it, the surest first.
        names: of its classes.
        title: what people know it by.
    """

    find: Callable[[np.ndarray], Sequence[Finding]]
    names: Sequence[str]
    title: str
