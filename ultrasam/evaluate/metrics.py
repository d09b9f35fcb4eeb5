"""How good a mask is, beside COCO's average precision: overlap, distance of the borders, clicks, calibration.

This is the one place for IoU and Dice of masks (`ultrasam.losses` has the IoU of logits that training needs).
Masks are (H, W) bool. Lengths are in pixels, or in millimeters where a spacing is given.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray
from pycocotools import mask as coco_mask

from ultrasam.errors import DataError

Mask = NDArray[np.bool_]
Overlap = TypeVar("Overlap", float, NDArray[np.float64])
#: Share of the image's diagonal that a border may be off for the boundary F-score (Perazzi et al. 2016).
TOLERANCE = 0.008
_CHUNK = 1024


def iou(prediction: Mask, target: Mask) -> float:
    """Intersection over union; 1 for two empty masks."""
    _same_size(prediction, target)
    union = int((prediction | target).sum())
    return int((prediction & target).sum()) / union if union else 1.0


def rle_iou(predictions: Sequence[dict[str, Any]], targets: Sequence[dict[str, Any]]) -> NDArray[np.float64]:
    """IoU of each predicted mask with its own object, (n,); both as n compressed RLEs of COCO."""
    pairs = [
        coco_mask.iou([prediction], [target], [0])[0, 0]
        for prediction, target in zip(predictions, targets, strict=True)
    ]
    return np.array(pairs, dtype=np.float64)


def iou_to_dice(overlap: Overlap) -> Overlap:
    """Dice's coefficient of two masks from their IoU, one or an array of them."""
    return 2 * overlap / (1 + overlap)


def dice(prediction: Mask, target: Mask) -> float:
    """Dice's coefficient; 1 for two empty masks."""
    return iou_to_dice(iou(prediction, target))


def border(mask: Mask) -> NDArray[np.float64]:
    """The centers of a mask's border pixels, (K, 2) xy: those with one of four neighbors outside the mask.

    Pixels at the image's edge count, as in MONAI and SciPy's erosion.
    """
    cross = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], dtype=np.uint8)
    solid = np.ascontiguousarray(mask, dtype=np.uint8)
    inner = cv2.erode(solid, cross, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return np.argwhere(solid > inner)[:, ::-1].astype(np.float64) + 0.5


@dataclass(frozen=True)
class BorderDistances:
    """From each border pixel of one mask to the nearest of the other, both ways.

    Attributes:
        prediction: (K,) of the predicted mask's border pixels.
        target: (L,) of the true mask's border pixels.
    """

    prediction: NDArray[np.float64]
    target: NDArray[np.float64]

    def hausdorff(self, percent: float = 95.0) -> float:
        """The larger of the two directed percentiles, as MONAI's; infinite where a mask is empty."""
        if not len(self.prediction) or not len(self.target):
            return 0.0 if len(self.prediction) == len(self.target) else math.inf
        return float(max(np.percentile(self.prediction, percent), np.percentile(self.target, percent)))

    def f_score(self, tolerance: float) -> float:
        """Harmonic mean of the shares of both borders that lie within a tolerance of the other one.

        As the DAVIS benchmark's F (Perazzi et al. 2016), with exact distances in place of dilated borders.
        """
        if not len(self.prediction) or not len(self.target):
            return float(len(self.prediction) == len(self.target))
        precision = float((self.prediction <= tolerance).mean())
        recall = float((self.target <= tolerance).mean())
        return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def border_distances(
    prediction: Mask, target: Mask, spacing: tuple[float, float] | None = None
) -> BorderDistances:
    """Distances between the borders of two masks.

    Args:
        prediction: the predicted mask.
        target: the true mask.
        spacing: (x, y) millimeters a pixel; None for pixels.

    Raises:
        DataError: the sizes differ, or the spacing is not two positive numbers.
    """
    _same_size(prediction, target)
    if spacing is not None and not (len(spacing) == 2 and all(0 < s < math.inf for s in spacing)):
        raise DataError(f"spacing must be two positive numbers (x, y) in mm a pixel, got {spacing}")
    scale = np.array(spacing if spacing is not None else (1.0, 1.0))
    ours, theirs = border(prediction) * scale, border(target) * scale
    if not len(ours) or not len(theirs):
        return BorderDistances(np.full(len(ours), np.inf), np.full(len(theirs), np.inf))
    nearest, back = np.empty(len(ours)), np.full(len(theirs), np.inf)
    for start in range(0, len(ours), _CHUNK):
        part = ours[start : start + _CHUNK]
        squares = (part[:, :1] - theirs[:, 0]) ** 2 + (part[:, 1:] - theirs[:, 1]) ** 2
        nearest[start : start + _CHUNK] = squares.min(axis=1)
        np.minimum(back, squares.min(axis=0), out=back)
    return BorderDistances(np.sqrt(nearest), np.sqrt(back))


def boundary_tolerance(shape: tuple[int, int]) -> int:
    """Pixels that a border may be off in an image (H, W), at least one."""
    return max(1, math.ceil(TOLERANCE * math.hypot(*shape)))


@dataclass(frozen=True)
class ClicksTo:
    """How many clicks objects take to an IoU.

    Attributes:
        mean: of all objects, where one that never gets there counts all its clicks (as usual in interactive
            segmentation, Sofiiuk et al. 2022).
        never: share of the objects that never get there.
    """

    mean: float
    never: float


def clicks_to(ious: ArrayLike, level: float) -> ClicksTo:
    """How many clicks it takes to reach an IoU, and how often all of them don't.

    Args:
        ious: (N, K), of N objects the IoU after each of K clicks.
        level: the IoU to reach.
    """
    reached = np.asarray(ious, dtype=np.float64) >= level
    first = np.where(reached.any(axis=1), reached.argmax(axis=1) + 1, reached.shape[1])
    return ClicksTo(float(first.mean()), float(1 - reached.any(axis=1).mean()))


@dataclass(frozen=True)
class Calibration:
    """Whether predicted IoU can be believed.

    Attributes:
        error: expected calibration error: mean gap between predicted and real IoU over the bins, weighted by
            their objects (Guo et al. 2017).
        bias: mean of predicted less real IoU; positive is overconfident.
        correlation: Pearson's, of predicted and real IoU; NaN where one of them is constant.
        bins: predicted IoU, real IoU and number of objects of each bin that has some.
    """

    error: float
    bias: float
    correlation: float
    bins: list[tuple[float, float, int]]


def calibration(predicted: ArrayLike, real: ArrayLike, bins: int = 10) -> Calibration:
    """Compare predicted with real IoU in bins of equal width from 0 to 1."""
    predicted, real = np.asarray(predicted, dtype=np.float64), np.asarray(real, dtype=np.float64)
    place = (predicted.clip(0, 1) * bins).astype(int).clip(max=bins - 1)
    filled = [
        (float(predicted[place == i].mean()), float(real[place == i].mean()), int((place == i).sum()))
        for i in np.unique(place)
    ]
    error = sum(abs(p - r) * n for p, r, n in filled) / len(predicted)
    varied = len(predicted) > 1 and predicted.std() > 0 and real.std() > 0
    correlation = float(np.corrcoef(predicted, real)[0, 1]) if varied else math.nan
    return Calibration(error, float((predicted - real).mean()), correlation, filled)


def _same_size(prediction: Mask, target: Mask) -> None:
    if prediction.shape != target.shape or prediction.ndim != 2:
        raise DataError(
            f"masks to compare must be (H, W) of one size, got {prediction.shape} and {target.shape}"
        )
