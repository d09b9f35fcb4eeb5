"""Masks moved with the optical flow between two frames (Kroeger et al. 2016, in OpenCV)."""

from __future__ import annotations

import cv2
import numpy as np

from ultrasam.data.boxes import tight_box
from ultrasam.predict.track.distance import surroundings

#: Longest side on which flow is computed, pixels.
_SIDE = 256
#: OpenCV takes its coarsest scale from the width alone: wide pictures of fewer rows end the process.
_WIDE, _LEAST_ROWS = 64, 32
#: What flow sees round an object, in its longer sides.
_CONTEXT = 0.4


class Motion:
    """Moves masks from frame to frame."""

    def __init__(self) -> None:
        self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)

    def move(self, mask: np.ndarray, old: np.ndarray, new: np.ndarray) -> np.ndarray:
        """Move a mask.

        Args:
            mask: (H, W) bool in the old frame, not empty.
            old: (H, W, 3) uint8 RGB.
            new: the same; of another size, nothing can be carried there.

        Returns:
            (H, W) bool in the new frame, empty where it has left the image.
        """
        moved = np.zeros(new.shape[:2], dtype=bool)
        if old.shape != new.shape:
            return moved
        x1, y1, x2, y2 = surroundings(tight_box(mask), mask.shape, _CONTEXT)
        scale = min(_SIDE / max(x2 - x1, y2 - y1), 1.0)
        columns = max(round((x2 - x1) * scale), 16)
        size = columns, max(round((y2 - y1) * scale), 16 if columns < _WIDE else _LEAST_ROWS)
        before, after = (_gray(whole[y1:y2, x1:x2], size) for whole in (old, new))
        # From new to old: where in the old frame each pixel of the new one was.
        flow = self._flow.calc(after, before, None)
        flow = cv2.resize(flow, (x2 - x1, y2 - y1))
        flow *= np.array([(x2 - x1) / size[0], (y2 - y1) / size[1]], dtype=np.float32)
        part = mask[y1:y2, x1:x2].astype(np.float32)
        moved[y1:y2, x1:x2] = _warped(part, flow) > 0.5
        return moved


def _gray(part: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    gray = cv2.cvtColor(np.ascontiguousarray(part), cv2.COLOR_RGB2GRAY)
    return cv2.resize(gray, size, interpolation=cv2.INTER_AREA)


def _warped(values: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """Values (h, w) taken from where a flow (h, w, 2) points."""
    y, x = np.mgrid[: flow.shape[0], : flow.shape[1]].astype(np.float32)
    return cv2.remap(values, x + flow[..., 0], y + flow[..., 1], cv2.INTER_LINEAR)
