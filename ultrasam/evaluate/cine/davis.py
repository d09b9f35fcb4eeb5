"""Region and boundary accuracy of a mask as the DAVIS benchmark defines them (Perazzi et al. 2016, sec. 5).

J is the intersection over union of two masks, `ultrasam.evaluate.metrics.iou`: 1 where both are empty. F
compares their outlines; it is 0 where one of them is empty and the other is not.
"""

from __future__ import annotations

import cv2
import numpy as np

from ultrasam.evaluate.metrics import Mask, boundary_tolerance


def boundary_f(prediction: Mask, target: Mask) -> float:
    """F: the harmonic mean of the shares of both outlines that lie near the other one.

    Near is within 0.008 of the image's diagonal, rounded up to whole pixels, as the benchmark's code has it.

    Args:
        prediction: (H, W) bool.
        target: the same.
    """
    ours, theirs = outline(prediction), outline(target)
    if not ours.any() or not theirs.any():
        return float(ours.any() == theirs.any())
    tolerance = boundary_tolerance((prediction.shape[0], prediction.shape[1]))
    # What a disc of this radius reaches: a distance up to it.
    precision = float((_distance_to(theirs)[ours] <= tolerance + 1e-3).mean())
    recall = float((_distance_to(ours)[theirs] <= tolerance + 1e-3).mean())
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def outline(mask: Mask) -> Mask:
    """The pixels (H, W) bool that differ from their neighbor to the right, below, or below to the right.

    As in the benchmark's code: the line between inside and outside, a pixel wide, at its top-left side. The
    image's edge is no outline.
    """
    padded = np.pad(mask, ((0, 1), (0, 1)), mode="edge")
    here = padded[:-1, :-1]
    changed: Mask = (here ^ padded[:-1, 1:]) | (here ^ padded[1:, :-1]) | (here ^ padded[1:, 1:])
    return changed


def _distance_to(line: Mask) -> np.ndarray:
    """From each pixel to the nearest one of a line, (H, W) float32 pixels."""
    return cv2.distanceTransform((~line).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
