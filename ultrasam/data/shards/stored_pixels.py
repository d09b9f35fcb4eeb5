"""How shards hold an image: its pixels as they are, or its file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ultrasam.data.images import (
    encode_image,
    read_as_stated,
    read_data_as_stated,
    read_header,
    without_twin_channels,
)

#: ``raw``: Netpbm's binary formats (PGM, PPM), which need no decoding; ``file``: the bytes of the image file.
Pixels = Literal["raw", "file"]
#: Files that decoders of WebDataset's users know; others are stored as PNG.
_COMMON = {".png": ".png", ".jpg": ".jpg", ".jpeg": ".jpg"}


def store(path: Path, size: tuple[int, int], where: str, pixels: Pixels) -> tuple[str, bytes]:
    """An image file as it is stored.

    Args:
        path: the file.
        size: (H, W) that the COCO file states.
        where: its entry there, for messages.
        pixels: how.

    Returns:
        the ending that says what it is, and the bytes.

    Raises:
        DataError: the image is missing, damaged or of another size.
    """
    image = read_as_stated(path, size, where, gray_view=True)
    if pixels == "file":
        ending = _COMMON.get(path.suffix.lower())
        if ending and read_header(path).kind in ("png", "other"):
            return ending, path.read_bytes()
        return ".png", encode_image(image)
    samples = without_twin_channels(image)
    ending, kind = (".pgm", b"P5") if samples.ndim == 2 else (".ppm", b"P6")
    return ending, _head(kind, size) + samples.tobytes()


def restore(
    ending: str,
    data: bytes | memoryview,
    size: tuple[int, int],
    where: str,
    *,
    gray_view: bool = False,
) -> NDArray[Any]:
    """A stored image (H, W, 3) uint8 RGB, as `ultrasam.data.images.read_as_stated` gives its file.

    Args:
        ending: which `store` gave.
        data: and the bytes.
        size: (H, W) that is stated.
        where: the sample, for messages.
        gray_view: let the channels of a gray image be read-only views of one.

    Raises:
        DataError: it is damaged or of another size.
    """
    for kind, channels in ((b"P5", 1), (b"P6", 3)):
        head = _head(kind, size)
        if data[: len(head)] == head and len(data) == len(head) + size[0] * size[1] * channels:
            stored = np.frombuffer(data, np.uint8, offset=len(head)).reshape(*size, channels)
            image = np.broadcast_to(stored, (*size, 3))
            return image if gray_view and channels == 1 else image.copy()
    return read_data_as_stated(data, ending, size, where, gray_view=gray_view)


def _head(kind: bytes, size: tuple[int, int]) -> bytes:
    return b"%s\n%d %d\n255\n" % (kind, size[1], size[0])
