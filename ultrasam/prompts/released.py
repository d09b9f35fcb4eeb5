"""The rules of the released code, to repeat what was published: prompts and targets a little off ours."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ultrasam.preprocess import Geometry
from ultrasam.prompts.sample import BOX_NOISE, PromptRules, centroid, move_sides, pick, random_point


class ReleasedRules(PromptRules):
    """Half a pixel is added after scaling, boxes may leave the image, masks go through nearest neighbor."""

    @staticmethod
    def random_point(mask: NDArray[Any], geometry: Geometry, rng: np.random.Generator) -> NDArray[Any]:
        """Drawn in the resized mask, where a very small object may have vanished; then ours is used."""
        resized = _nearest(mask, geometry)
        return pick(resized, rng) if resized.any() else random_point(mask, geometry, rng)

    @staticmethod
    def central_point(mask: NDArray[Any], geometry: Geometry) -> NDArray[Any]:
        """The centroid, also where it is outside of the object."""
        return geometry.to_input(centroid(mask)) + 0.5

    @staticmethod
    def exact_box(box: NDArray[Any], geometry: Geometry) -> NDArray[Any]:
        """Half a pixel too far right and down."""
        return geometry.to_input(box) + 0.5

    @staticmethod
    def noisy_box(
        box: NDArray[Any], geometry: Geometry, rng: np.random.Generator, noise: float = BOX_NOISE
    ) -> NDArray[Any]:
        """Wherever the moved sides are."""
        return move_sides(geometry.to_input(box), rng, noise) + 0.5

    @staticmethod
    def mask_target(mask: NDArray[Any], geometry: Geometry, side: int) -> NDArray[Any]:
        """The resized mask sampled bilinearly; one half is rounded to 0."""
        full = np.zeros((geometry.size, geometry.size), dtype=np.float32)
        resized = _nearest(mask, geometry)
        full[: resized.shape[0], : resized.shape[1]] = resized
        low = cv2.resize(full, (side, side), interpolation=cv2.INTER_LINEAR)
        return np.round(low).astype(np.uint8)


def _nearest(mask: NDArray[Any], geometry: Geometry) -> NDArray[Any]:
    """A mask at the input's scale: rounded size, nearest neighbor."""
    height, width = Geometry.of(mask.shape[0], mask.shape[1], geometry.size, "round").resized
    return cv2.resize(mask.view(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST) > 0
