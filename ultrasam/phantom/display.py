"""Log compression: from the envelope to gray levels."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ultrasam.phantom.geometry import Array


@dataclass(frozen=True)
class Display:
    """How a scanner shows levels.

    Attributes:
        black: level shown black, dB against average tissue.
        span: dynamic range above it, dB.
        gamma: exponent of the gray map.
    """

    black: float
    span: float
    gamma: float

    def gray(self, envelope: Array) -> Array:
        """Gray levels 0..255, float32, of an envelope whose root mean square is 1 in average tissue."""
        level = cv2.log(envelope + np.float32(1e-5)) * np.float32(20 / np.log(10))
        shown = np.clip((level - np.float32(self.black)) / np.float32(self.span), 0, 1)
        return cv2.pow(shown, self.gamma) * np.float32(255)
