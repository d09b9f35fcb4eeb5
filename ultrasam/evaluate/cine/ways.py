"""Ways to follow objects: the engine, and two that any has to beat."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import numpy as np

from ultrasam.data.boxes import tight_box
from ultrasam.predict.object_predictor import ObjectPredictor
from ultrasam.predict.track import Follower, Tracked
from ultrasam.predict.track.motion import Motion


class Way(Protocol):
    """What `ultrasam.predict.track.Follower` does."""

    def start(self, name: int, mask: np.ndarray) -> None:
        """Follow an object from the present frame on."""

    def step(self, image: np.ndarray) -> Mapping[int, Tracked | None]:
        """All objects in the next frame; None where one is lost."""


class Still:
    """Each mask stays where it is."""

    def __init__(self) -> None:
        self._masks: dict[int, np.ndarray] = {}

    def start(self, name: int, mask: np.ndarray) -> None:
        """See `Way`."""
        self._masks[name] = mask

    def step(self, image: np.ndarray) -> dict[int, Tracked | None]:
        """See `Way`."""
        return {name: Tracked(mask, 1.0, tight_box(mask)) for name, mask in self._masks.items()}


class FlowAlone:
    """Optical flow moves each mask; no model looks at it."""

    def __init__(self, image: np.ndarray) -> None:
        self._image, self._motion = image, Motion()
        self._masks: dict[int, np.ndarray] = {}

    def start(self, name: int, mask: np.ndarray) -> None:
        """See `Way`."""
        self._masks[name] = mask

    def step(self, image: np.ndarray) -> dict[int, Tracked | None]:
        """See `Way`."""
        self._masks = {
            name: self._motion.move(mask, self._image, image) if mask.any() else mask
            for name, mask in self._masks.items()
        }
        self._image = image
        return {
            name: Tracked(mask, 1.0, tight_box(mask)) if mask.any() else None
            for name, mask in self._masks.items()
        }


#: Name -> makes the way, on the first frame of a clip.
WAYS: dict[str, Callable[[ObjectPredictor, np.ndarray], Way]] = {
    "followed": Follower,
    "mask kept still": lambda predictor, image: Still(),
    "flow alone": lambda predictor, image: FlowAlone(image),
}
