"""How good a mask is, beside COCO's average precision: overlap, distance of the borders, clicks, calibration.

Masks are (H, W) bool. Lengths are in pixels, or in millimetres where a spacing is given.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from ultrasam.errors import DataError

Mask = NDArray[np.bool_]
#: Share of the image's diagonal that a border may be off for the boundary F-score (Perazzi et al. 2016).
TOLERANCE = 0.008
_CHUNK = 1024


def iou(found: Mask, truth: Mask) -> float:
    """Intersection over union; 1 for two empty masks."""
    _same_size(found, truth)
    union = int((found | truth).sum())
    return int((found & truth).sum()) / union if union else 1.0


def dice(found: Mask, truth: Mask) -> float:
    """Dice's coefficient, 2 IoU / (1 + IoU)."""
    overlap = iou(found, truth)
    return 2 * overlap / (1 + overlap)


def border(mask: Mask) -> NDArray[np.float64]:
    """The centres of a mask's border pixels, (K, 2) xy: those with one of four neighbours outside the mask.

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
        found: (K,) of the predicted mask's border pixels.
        truth: (L,) of the true mask's border pixels.
    """

    found: NDArray[np.float64]
    truth: NDArray[np.float64]

    def hausdorff(self, percent: float = 95.0) -> float:
        """The larger of the two directed percentiles, as MONAI's; infinite where a mask is empty."""
        if not len(self.found) or not len(self.truth):
            return 0.0 if len(self.found) == len(self.truth) else math.inf
        return float(max(np.percentile(self.found, percent), np.percentile(self.truth, percent)))

    def f_score(self, tolerance: float) -> float:
        """Harmonic mean of the shares of both borders that lie within a tolerance of the other one.

        As the DAVIS benchmark's F (Perazzi et al. 2016), with exact distances in place of dilated borders.
        """
        if not len(self.found) or not len(self.truth):
            return float(len(self.found) == len(self.truth))
        precision, recall = float((self.found <= tolerance).mean()), float((self.truth <= tolerance).mean())
        return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def border_distances(found: Mask, truth: Mask, spacing: tuple[float, float] | None = None) -> BorderDistances:
    """Distances between the borders of two masks.

    Args:
        found: the predicted mask.
        truth: the true mask.
        spacing: (x, y) millimetres a pixel; None for pixels.

    Raises:
        DataError: the sizes differ, or the spacing is not two positive numbers.
    """
    _same_size(found, truth)
    if spacing is not None and not (len(spacing) == 2 and all(0 < s < math.inf for s in spacing)):
        raise DataError(f"spacing must be two positive numbers (x, y) in mm a pixel, got {spacing}")
    scale = np.array(spacing if spacing is not None else (1.0, 1.0))
    ours, theirs = border(found) * scale, border(truth) * scale
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


def clicks_to(ious: ArrayLike, target: float) -> tuple[float, float]:
    """How many clicks it takes to reach an IoU, and how often all of them don't.

    Args:
        ious: (N, K), of N objects the IoU after each of K clicks.
        target: the IoU to reach.

    Returns:
        the mean number of clicks, where an object that never gets there counts K (as usual in interactive
        segmentation, Sofiiuk et al. 2022), and the share of such objects.
    """
    reached = np.asarray(ious, dtype=np.float64) >= target
    first = np.where(reached.any(axis=1), reached.argmax(axis=1) + 1, reached.shape[1])
    return float(first.mean()), float(1 - reached.any(axis=1).mean())


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
    guess, truth = np.asarray(predicted, dtype=np.float64), np.asarray(real, dtype=np.float64)
    place = (guess.clip(0, 1) * bins).astype(int).clip(max=bins - 1)
    filled = [
        (float(guess[place == i].mean()), float(truth[place == i].mean()), int((place == i).sum()))
        for i in np.unique(place)
    ]
    error = sum(abs(p - r) * n for p, r, n in filled) / len(guess)
    varied = len(guess) > 1 and guess.std() > 0 and truth.std() > 0
    correlation = float(np.corrcoef(guess, truth)[0, 1]) if varied else math.nan
    return Calibration(error, float((guess - truth).mean()), correlation, filled)


def _same_size(found: Mask, truth: Mask) -> None:
    if found.shape != truth.shape or found.ndim != 2:
        raise DataError(f"masks to compare must be (H, W) of one size, got {found.shape} and {truth.shape}")
