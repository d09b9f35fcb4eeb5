"""Masks moved with the optical flow between two frames (Kroeger et al. 2016, in OpenCV)."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ultrasam.data.boxes import tight_box
from ultrasam.predict.track.distance import surroundings

#: Longest side on which flow is computed, pixels.
_SIDE = 256
#: What flow sees round an object, in its longer sides.
_CONTEXT = 0.4


@dataclass(frozen=True)
class Moved:
    """A mask where the motion from one frame to the next takes it.

    Attributes:
        mask: (H, W) bool, empty where it has left the image.
        error: forward-backward error, the median over the mask as a share of its size (Kalal et al. 2010):
            how far what goes to the next frame and back again is from where it was.
    """

    mask: np.ndarray
    error: float


class Motion:
    """Moves masks from frame to frame."""

    def __init__(self) -> None:
        self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)

    def move(self, mask: np.ndarray, old: np.ndarray, new: np.ndarray) -> Moved:
        """Move a mask.

        Args:
            mask: (H, W) bool in the old frame, not empty.
            old: (H, W, 3) uint8 RGB.
            new: the same; of another size, nothing can be carried there.
        """
        moved = np.zeros(new.shape[:2], dtype=bool)
        if old.shape != new.shape:
            return Moved(moved, np.inf)
        x1, y1, x2, y2 = surroundings(tight_box(mask), mask.shape, _CONTEXT)
        scale = min(_SIDE / max(x2 - x1, y2 - y1), 1.0)
        size = max(round((x2 - x1) * scale), 16), max(round((y2 - y1) * scale), 16)
        before, after = (_gray(whole[y1:y2, x1:x2], size) for whole in (old, new))
        # From new to old: where in the old frame each pixel of the new one was.
        flow = self._flow.calc(after, before, None)
        error = _round_trip(flow, self._flow.calc(before, after, None), mask[y1:y2, x1:x2])
        flow = cv2.resize(flow, (x2 - x1, y2 - y1))
        flow *= np.array([(x2 - x1) / size[0], (y2 - y1) / size[1]], dtype=np.float32)
        part = mask[y1:y2, x1:x2].astype(np.float32)
        moved[y1:y2, x1:x2] = _warped(part, flow) > 0.5
        return Moved(moved, error / np.sqrt(max(mask.sum() * scale * scale, 1.0)))


def _gray(part: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    gray = cv2.cvtColor(np.ascontiguousarray(part), cv2.COLOR_RGB2GRAY)
    return cv2.resize(gray, size, interpolation=cv2.INTER_AREA)


def _warped(values: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """Values (h, w) or (h, w, 2) taken from where a flow (h, w, 2) points."""
    y, x = np.mgrid[: flow.shape[0], : flow.shape[1]].astype(np.float32)
    return cv2.remap(values, x + flow[..., 0], y + flow[..., 1], cv2.INTER_LINEAR)


def _round_trip(back: np.ndarray, forth: np.ndarray, mask: np.ndarray) -> float:
    """The median of |forth + back at its end| over a mask (h, w), pixels of the flows (h', w', 2)."""
    inside = cv2.resize(mask.astype(np.uint8), back.shape[1::-1], interpolation=cv2.INTER_AREA) > 0
    if not inside.any():
        return np.inf
    gap = np.linalg.norm(forth + _warped(back, forth), axis=2)
    return float(np.median(gap[inside]))
