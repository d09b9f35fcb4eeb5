"""Augmentation for small models that learn from little: other views, other grays, worse scanners.

Transforms for ``PromptDataset(augment=...)``: they change image, masks and boxes before prompts are made,
and draw from ``results["rng"]`` alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmdet.registry import TRANSFORMS

from ultrasam.data.boxes import tight_boxes
from ultrasam.data.degrade import KINDS, degrade
from ultrasam.preprocess import region


@TRANSFORMS.register_module()
class RandomView(BaseTransform):
    """Turn and stretch the image, then show the part round one of its objects, or all of it.

    Args:
        closer: probability of looking closer at one object.
        share: smallest and largest share of the region's side that the object then takes.
        turn: largest angle in degrees.
        stretch: largest change of the aspect ratio, as a factor.
        warp: probability of turning and stretching.
        visible: objects of which less than this share is left in the region are not prompted.
    """

    def __init__(
        self,
        closer: float = 0.7,
        share: tuple[float, float] = (0.25, 0.9),
        turn: float = 20.0,
        stretch: float = 1.3,
        warp: float = 0.5,
        visible: float = 0.7,
    ) -> None:
        self.closer = closer
        self.share = share
        self.turn = turn
        self.stretch = stretch
        self.warp = warp
        self.visible = visible

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Another view of the sample; at least one object stays."""
        rng = results["rng"]
        if rng.random() < self.warp:
            self._warp(results, rng)
        if results["masks"] and rng.random() < self.closer:
            self._look_closer(results, rng)
        return results

    def _warp(self, results: dict[str, Any], rng: np.random.Generator) -> None:
        height, width = results["img"].shape[:2]
        ratio = self.stretch ** (rng.uniform(-1, 1) / 2)
        matrix = cv2.getRotationMatrix2D((width / 2, height / 2), rng.uniform(-self.turn, self.turn), 1.0)
        # The aspect ratio changes about the middle by shrinking one side, so that nothing leaves the image.
        sides = np.array([ratio, 1 / ratio]) / max(ratio, 1 / ratio)
        middle = np.array([width / 2, height / 2])
        matrix = sides[:, None] * matrix
        matrix[:, 2] += middle * (1 - sides)
        image = cv2.warpAffine(results["img"], matrix, (width, height))
        masks = [
            cv2.warpAffine(m.view(np.uint8) * 255, matrix, (width, height)) >= 128 for m in results["masks"]
        ]
        _keep(results, image, masks, self.visible * sides.prod())

    def _look_closer(self, results: dict[str, Any], rng: np.random.Generator) -> None:
        height, width = results["img"].shape[:2]
        box = results["boxes"][rng.integers(len(results["boxes"]))]
        extent = (box[2:] - box[:2]).max()
        share = rng.uniform(*self.share)
        # Off the middle, as far as the object stays inside.
        room = max(extent / share - extent, 0) / 2
        shift = np.tile(rng.uniform(-0.5, 0.5, 2) * room, 2)
        x1, y1, x2, y2 = region(box + shift, height, width, share)
        image = np.ascontiguousarray(results["img"][y1:y2, x1:x2])
        masks = [np.ascontiguousarray(mask[y1:y2, x1:x2]) for mask in results["masks"]]
        _keep(results, image, masks, self.visible)


@TRANSFORMS.register_module()
class Tone(BaseTransform):
    """Other gamma, contrast and brightness, now and then a tint or inverted grays.

    Args:
        probability: of another gamma, contrast and brightness.
        tint: probability of a color cast.
        invert: probability of swapping bright and dark.
    """

    def __init__(self, probability: float = 0.7, tint: float = 0.15, invert: float = 0.05) -> None:
        self.probability = probability
        self.tint = tint
        self.invert = invert

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Map the grays through one table a channel."""
        rng = results["rng"]
        table = np.linspace(0, 1, 256)
        if rng.random() < self.probability:
            table = table ** np.exp(rng.normal(0, 0.35)) * rng.uniform(0.7, 1.3) + rng.uniform(-0.08, 0.08)
        if rng.random() < self.invert:
            table = 1 - table
        channels = np.repeat(table[:, None], 3, axis=1)
        if rng.random() < self.tint:
            channels = channels * rng.uniform(0.7, 1, 3)
        table8 = (channels * 255 + 0.5).clip(0, 255).astype(np.uint8)
        results["img"] = cv2.LUT(results["img"], table8[None])
        return results


@TRANSFORMS.register_module()
class Degrade(BaseTransform):
    """What a worse or badly set scanner makes of the image; see `ultrasam.data.degrade`.

    Args:
        probability: of any degradation.
        strength: the largest; it is drawn from 0 up.
        kinds: which are drawn from; all of them where empty.
    """

    def __init__(self, probability: float = 0.5, strength: float = 0.7, kinds: Sequence[str] = ()) -> None:
        self.probability = probability
        self.strength = strength
        self.kinds = list(kinds) or sorted(KINDS)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Degrade the image by one kind, or not."""
        rng = results["rng"]
        if rng.random() < self.probability:
            kind = self.kinds[rng.integers(len(self.kinds))]
            results["img"] = degrade(results["img"], kind, rng.uniform(0, self.strength), rng)
        return results


@TRANSFORMS.register_module()
class Redraw(BaseTransform):
    """Draw the objects as another annotator would: smoother, and further out or in.

    Some annotators follow every notch of the visible border, others draw a round curve about the object and
    its halo. Boxes follow the new masks: a model learns that a box says how far out its user's objects reach.

    Args:
        probability: of another annotator, the same for all objects of an image.
        smooth: largest width of the smoothing, as a share of the square root of the object's area.
        level: smallest and largest share of an object around a point that still counts as inside; below one
            half the object grows.
    """

    def __init__(
        self, probability: float = 0.3, smooth: float = 0.15, level: tuple[float, float] = (0.25, 0.6)
    ) -> None:
        self.probability = probability
        self.smooth = smooth
        self.level = level

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Redraw every mask of the sample, or none."""
        rng = results["rng"]
        if rng.random() < self.probability:
            smooth, level = rng.uniform(0, self.smooth), rng.uniform(*self.level)
            masks = [_redrawn(mask, smooth, level) for mask in results["masks"]]
            _keep(results, results["img"], masks, 0.5)
        return results


def _redrawn(mask: np.ndarray, smooth: float, level: float) -> np.ndarray:
    sigma = max(smooth * float(np.sqrt(mask.sum())), 0.3)
    return cv2.GaussianBlur(mask.astype(np.float32), (0, 0), sigma) > level


def _keep(results: dict[str, Any], image: np.ndarray, masks: list[np.ndarray], share: float) -> None:
    """Take over a new view with the objects that are still in it; none at all, and the old view stays."""
    pairs = zip(masks, results["masks"], strict=True)
    kept = [new for new, old in pairs if new.any() and new.sum() >= share * old.sum()]
    if kept:
        results["img"], results["masks"] = image, kept
        results["boxes"] = tight_boxes(kept)
