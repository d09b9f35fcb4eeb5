"""Image files to RGB arrays, with an error that names the file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ultrasam.errors import DataError


def read_image(path: str | Path, *, gray_view: bool = False) -> NDArray[Any]:
    """An 8-bit image file as (H, W, 3) uint8 RGB; gray is repeated, an alpha channel is left out.

    Args:
        path: the file.
        gray_view: do not repeat gray in memory: the channels are read-only views of one.

    Raises:
        DataError: the file is missing, damaged, or has more than 8 bits a sample.
    """
    image = read_samples(path)
    if image.dtype != np.uint8:
        raise DataError(
            f"{path} has {image.dtype.itemsize * 8} bits a sample; which gray values to show is your choice: "
            "map them to 8 bits first, or state a window where one can be given"
        )
    if gray_view and image.ndim == 2:
        return np.broadcast_to(image[:, :, None], (*image.shape, 3))
    return as_rgb(image)


def read_samples(path: str | Path) -> NDArray[Any]:
    """An image file as OpenCV decodes it, (H, W), (H, W, 3) BGR or (H, W, 4) BGRA, of any depth.

    Raises:
        DataError: the file is missing or damaged.
    """
    try:
        encoded = np.fromfile(path, dtype=np.uint8)
    except OSError as error:
        raise DataError(f"cannot read the image {path}: {error.strerror or error}") from error
    # Decoding from memory instead of by name: OpenCV cannot open every file name on every system.
    image = cv2.imdecode(encoded, cv2.IMREAD_UNCHANGED) if encoded.size else None
    if image is None:
        raise DataError(f"{path} is not a readable image (empty, damaged or of an unknown kind)")
    return image


def as_rgb(image: NDArray[Any]) -> NDArray[Any]:
    """What OpenCV decoded, (H, W), (H, W, 3) BGR or (H, W, 4) BGRA -> (H, W, 3) RGB."""
    if image.ndim == 2:
        return np.repeat(image[:, :, None], 3, axis=2)
    if image.shape[2] == 4:
        return cv2.cvtColor(image, cv2.COLOR_BGRA2RGB)
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def once_if_gray(work: Callable[[NDArray[Any]], NDArray[Any]], image: NDArray[Any]) -> NDArray[Any]:
    """Work on an image (H, W, 3), on one channel alone where all three are views of it."""
    if image.strides[2]:
        return work(image)
    gray = work(image[..., 0])
    return np.broadcast_to(gray[..., None], (*gray.shape, 3))


def mirror(
    image: NDArray[Any], masks: Sequence[NDArray[Any]], boxes: NDArray[Any]
) -> tuple[NDArray[Any], list[NDArray[Any]], NDArray[Any]]:
    """An image (H, W, 3) with masks (H, W) bool and boxes (n, 4) xyxy, left and right exchanged."""
    boxes = boxes.copy()
    boxes[:, [0, 2]] = image.shape[1] - boxes[:, [2, 0]]
    flipped = [cv2.flip(mask.view(np.uint8), 1).view(bool) for mask in masks]
    return once_if_gray(lambda part: cv2.flip(part, 1), image), flipped, boxes


def write_image(path: str | Path, image: NDArray[Any]) -> None:
    """Write (H, W, 3) uint8 RGB; the file's ending names the format."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    done, encoded = cv2.imencode(path.suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    if not done:
        raise DataError(f"cannot encode an image as {path.suffix}")
    encoded.tofile(path)


def write_mask(path: str | Path, mask: NDArray[Any]) -> None:
    """Write a mask (H, W) bool as an 8-bit PNG of 0 and 255."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imencode(".png", mask.astype(np.uint8) * 255)[1].tofile(path)
