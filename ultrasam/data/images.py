"""Image files to RGB arrays, with an error that names the file: the one way that images are read."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ultrasam.converters.engine import header, picture
from ultrasam.data.files import write_bytes
from ultrasam.errors import DataError

#: The most pixels that an image file may have.
MAX_PIXELS = header.MAX_PIXELS


def read_image(path: str | Path, *, gray_view: bool = False) -> NDArray[Any]:
    """An 8-bit image file as (H, W, 3) uint8 RGB, upright as EXIF's orientation says.

    Gray is repeated, an alpha channel is left out. Of a stack or an animation it is the first picture.

    Args:
        path: the file.
        gray_view: do not repeat gray in memory: the channels are read-only views of one.

    Raises:
        DataError: the file is missing, damaged, cut off, larger than `MAX_PIXELS`, or has more than 8 bits a
            sample.
    """
    return as_shown(path, read_samples(path), gray_view)


def read_as_stated(
    path: str | Path, size: tuple[int, int], where: str, *, gray_view: bool = False
) -> NDArray[Any]:
    """`read_image` of an image that a COCO file describes.

    Args:
        path: the file.
        size: (H, W) that the COCO file states.
        where: the entry, for the error message.
        gray_view: as there.

    Raises:
        DataError: as there, or the upright image is of another size than stated.
    """
    with _errors_name(path):
        said, samples = picture.decode(Path(path))
    return _stated(path, said, samples, size, where, gray_view)


def read_data_as_stated(
    data: bytes | memoryview, name: str, size: tuple[int, int], where: str, *, gray_view: bool = False
) -> NDArray[Any]:
    """`read_as_stated` of the bytes of an image file.

    Args:
        data: the bytes.
        name: what messages call them.
        size: as there.
        where: as there.
        gray_view: as there.

    Raises:
        DataError: as there.
    """
    with _errors_name(name):
        said, samples = picture.decode_data(data, Path(name))
    return _stated(name, said, samples, size, where, gray_view)


def without_twin_channels(pixels: NDArray[Any]) -> NDArray[Any]:
    """An image (H, W, 3), or (H, W) where its channels are equal."""
    red = pixels[..., 0]
    if not pixels.strides[2] or all(np.array_equal(red, pixels[..., i]) for i in (1, 2)):
        return np.ascontiguousarray(red)
    return pixels


def _stated(
    path: str | Path,
    said: header.Header,
    samples: NDArray[Any],
    size: tuple[int, int],
    where: str,
    gray_view: bool,
) -> NDArray[Any]:
    reason = header.other_size(said, samples.shape[:2], size)
    if reason:
        raise DataError(f"{path} {reason} ({where})")
    return as_shown(path, samples, gray_view)


def read_samples(path: str | Path) -> NDArray[Any]:
    """An image file upright, (H, W), (H, W, 3) BGR or (H, W, 4) BGRA, of any depth.

    Raises:
        DataError: the file is missing, damaged, cut off or larger than `MAX_PIXELS`.
    """
    with _errors_name(path):
        return picture.decode(Path(path))[1]


def read_header(path: str | Path) -> header.Header:
    """What an image file says of itself, without decoding it.

    Raises:
        DataError: as `read_samples`.
    """
    with _errors_name(path), Path(path).open("rb") as file:
        return header.read_header(file)


def read_each(paths: Iterable[Path], failed: list[str]) -> Iterator[tuple[Path, NDArray[Any]]]:
    """Images one by one; what is wrong with one that can't be read is added to ``failed``."""
    for path in paths:
        try:
            yield path, read_image(path)
        except DataError as error:
            failed.append(str(error))


@contextlib.contextmanager
def _errors_name(path: str | Path) -> Iterator[None]:
    try:
        yield
    except header.PictureError as error:
        raise DataError(f"{path} is not a readable image: {error}") from error
    except OSError as error:
        raise DataError(f"cannot read the image {path}: {error.strerror or error}") from error


def as_shown(path: str | Path, image: NDArray[Any], gray_view: bool = False) -> NDArray[Any]:
    """What `read_samples` gave as `read_image` gives it.

    Raises:
        DataError: it has more than 8 bits a sample.
    """
    if image.dtype != np.uint8:
        raise DataError(
            f"{path} has {image.dtype.itemsize * 8} bits a sample; which gray values to show is your choice: "
            "map them to 8 bits first, or state a window where one can be given"
        )
    if gray_view and image.ndim == 2:
        return np.broadcast_to(image[:, :, None], (*image.shape, 3))
    return as_rgb(image)


def as_rgb(image: NDArray[Any]) -> NDArray[Any]:
    """What OpenCV decoded, (H, W), (H, W, 3) BGR or (H, W, 4) BGRA -> (H, W, 3) RGB, in the same memory."""
    if image.ndim == 2:
        return np.repeat(image[:, :, None], 3, axis=2)
    if image.shape[2] == 4:
        return cv2.cvtColor(image, cv2.COLOR_BGRA2RGB)
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB, dst=image)


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
    write_bytes(path, encode_image(image, Path(path).suffix))


def write_mask(path: str | Path, mask: NDArray[Any]) -> None:
    """Write a mask (H, W) bool as an 8-bit PNG of 0 and 255."""
    write_bytes(path, encode_mask(mask))


def encode_image(image: NDArray[Any], suffix: str = ".png") -> bytes:
    """The bytes of a file of (H, W, 3) uint8 RGB; its ending names the format."""
    done, encoded = cv2.imencode(suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    if not done:
        raise DataError(f"cannot encode an image as {suffix}")
    return encoded.tobytes()


def encode_mask(mask: NDArray[Any]) -> bytes:
    """The bytes of an 8-bit PNG of 0 and 255 of a mask (H, W) bool."""
    return cv2.imencode(".png", mask.astype(np.uint8) * 255)[1].tobytes()
