"""Whether an image looks like B-mode ultrasound: a dozen cheap numbers and a logistic regression.

Ultrasound is gray or of one tint, has speckle that is wider than it is deep, and black round its field of
view. Photographs, computed tomography, color Doppler, charts and pages of text differ in some of that. It
costs a few milliseconds; it is a warning and no proof.
"""

from __future__ import annotations

import cv2
import numpy as np

#: Longest side on which everything is computed, in pixels.
_SIDE = 256
#: Mean, deviation and weight of each of `features`, and the intercept; made by ``experiments/bmode.py``.
MEANS: tuple[float, ...] = ()
DEVIATIONS: tuple[float, ...] = ()
WEIGHTS: tuple[float, ...] = ()
INTERCEPT = 0.0
#: Scores below this are worth a warning.
LEAST = 0.5


def bmode_score(image: np.ndarray) -> float:
    """How much an image (H, W, 3) uint8 RGB looks like B-mode ultrasound, from 0 to 1."""
    z = (features(image) - MEANS) / DEVIATIONS
    return float(1 / (1 + np.exp(-(np.clip(z, -4, 4) @ np.array(WEIGHTS) + INTERCEPT))))


def features(image: np.ndarray) -> np.ndarray:
    """What is looked at, (12,) float64, of an image (H, W, 3) uint8 RGB."""
    scale = min(1.0, _SIDE / max(image.shape[:2]))
    size = (max(round(image.shape[1] * scale), 8), max(round(image.shape[0] * scale), 8))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    gray = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32)
    spread = _other_colors(small, gray)
    mean = cv2.GaussianBlur(gray, (0, 0), 3)
    fine = gray - cv2.GaussianBlur(gray, (0, 0), 2)
    rough = np.sqrt(cv2.GaussianBlur(fine * fine, (0, 0), 3))
    tissue = (mean > 12) & (mean < 235)
    seen = tissue if tissue.sum() > 50 else np.ones_like(tissue)
    across, down = (_correlation(fine, axis) for axis in (1, 0))
    rows = mean.mean(axis=1)
    third = max(len(rows) // 3, 1)
    return np.array(
        [
            np.log1p(100 * float((spread > 20).mean())),
            float((gray < 10).mean()),
            float((gray > 245).mean()),
            float(gray.mean()) / 255,
            float(gray[seen].std()) / 255,
            np.log(float(np.median(rough[seen])) + 0.5),
            float(rough[seen].std()) / (float(rough[seen].mean()) + 0.5),
            across,
            down,
            across - down,
            float(rows[:third].mean() - rows[-third:].mean()) / 255,
            _correlation_of(mean[seen], rough[seen]),
        ]
    )


def _other_colors(small: np.ndarray, gray: np.ndarray) -> np.ndarray:
    """How far each pixel's color is from what its gray has in most of the image: a tint is no color."""
    shades = cv2.cvtColor(small, cv2.COLOR_RGB2YCrCb)[..., 1:].astype(np.float32)
    level = (gray / 16).astype(int).clip(0, 15)
    usual = np.zeros((16, 2), np.float32)
    for value in np.unique(level):
        usual[value] = np.median(shades[level == value], axis=0)
    return np.abs(shades - usual[level]).max(axis=2)


def _correlation(fine: np.ndarray, axis: int) -> float:
    """Of neighbors along an axis in what is left of an image without its large shapes."""
    a, b = (fine[:-1], fine[1:]) if axis == 0 else (fine[:, :-1], fine[:, 1:])
    return float((a * b).sum() / ((fine * fine).sum() + 1.0))


def _correlation_of(x: np.ndarray, y: np.ndarray) -> float:
    x, y = x - x.mean(), y - y.mean()
    return float((x * y).sum() / (np.sqrt((x * x).sum() * (y * y).sum()) + 1.0))
