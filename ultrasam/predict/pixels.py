"""Arrays of any depth to the 8-bit RGB that the network sees; gray values are mapped by a stated window."""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np

from ultrasam.errors import DataError

#: Gray values shown as black and white, or ``minmax`` for the darkest and brightest of each image.
Window = tuple[float, float] | Literal["minmax"]
#: A side beyond this is a mistake, or a slide that has to be cut into tiles first.
MAX_SIDE = 16384


def to_rgb8(image: np.ndarray, image_format: str = "RGB", window: Window | None = None) -> np.ndarray:
    """An image as (H, W, 3) uint8 RGB.

    Args:
        image: (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), of an integer or floating type; a fourth channel
            (alpha) is left out.
        image_format: ``RGB`` or ``BGR``.
        window: (low, high) gray values that become 0 and 255. 8-bit images need none; of others it is not
            guessed, since the choice changes what can be seen.

    Raises:
        DataError: another shape or type, values that are not finite, a missing or empty window.
    """
    if not isinstance(image, np.ndarray):
        raise DataError(f"an image must be a numpy array (H, W) or (H, W, 3), got {type(image).__name__}")
    if image_format not in ("RGB", "BGR"):
        raise DataError(f"image_format must be 'RGB' or 'BGR', got {image_format!r}")
    if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] not in (1, 3, 4)):
        raise DataError(
            f"an image must be (H, W), (H, W, 3) or (H, W, 4), got {image.shape}; channels come last"
        )
    if 0 in image.shape:
        raise DataError(f"the image is empty: its shape is {image.shape}")
    if max(image.shape[:2]) > MAX_SIDE:
        raise DataError(
            f"the image has {image.shape[1]} x {image.shape[0]} pixels, more than {MAX_SIDE} a side: "
            "crop it or make it smaller first"
        )
    if image.ndim == 3 and image.shape[2] == 4:
        image = image[:, :, :3]
    image = _to_8_bits(image, window)
    if image.ndim == 2 or image.shape[2] == 1:
        gray = np.ascontiguousarray(image.reshape(image.shape[:2]))
        return cv2.merge([gray] * 3)
    return np.ascontiguousarray(image[:, :, ::-1] if image_format == "BGR" else image)


def _to_8_bits(image: np.ndarray, window: Window | None) -> np.ndarray:
    if image.dtype == bool or image.dtype.kind not in "uif":
        raise DataError(f"an image must hold numbers of an integer or floating type, got {image.dtype}")
    if image.dtype == np.uint8 and window is None:
        return image
    if window is None:
        raise DataError(
            f"the image is {image.dtype}: say which values are black and white with a window (low, "
            "high), or 'minmax' for its own darkest and brightest (in commands: --window)"
        )
    values = image.astype(np.float64)
    if not np.isfinite(values).all():
        raise DataError("the image holds values that are not finite (NaN or infinity)")
    low, high = _limits(values, window)
    return np.clip(np.rint((values - low) * (255.0 / (high - low))), 0, 255).astype(np.uint8)


def _limits(values: np.ndarray, window: Window) -> tuple[float, float]:
    if window == "minmax":
        low, high = float(values.min()), float(values.max())
        return (low, high) if high > low else (low, low + 1.0)
    try:
        low, high = (float(v) for v in window)
    except (TypeError, ValueError) as error:
        raise DataError(f"window must be (low, high) or 'minmax', got {window!r}") from error
    if not (np.isfinite(low) and np.isfinite(high) and low < high):
        raise DataError(f"the window ({low:g}, {high:g}) is empty: low must be below high")
    return low, high
