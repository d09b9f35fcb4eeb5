"""Images that come as bytes: PNG, JPEG and the like, DICOM, stacks, numpy's arrays."""

from __future__ import annotations

import hashlib
import io
import math
import tempfile
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ultrasam.errors import DataError
from ultrasam.predict.files import sources
from ultrasam.predict.files.calibration import Calibration
from ultrasam.predict.pixels import Window, to_rgb8

_NUMPY = b"\x93NUMPY"
#: What numpy lets out when it parses damaged headers.
_DAMAGED = (
    ValueError,
    KeyError,
    TypeError,
    SyntaxError,
    EOFError,
    OverflowError,
    RecursionError,
    MemoryError,
    tokenize.TokenError,
)


@dataclass(frozen=True)
class Picture:
    """One image, or one frame of a clip.

    Attributes:
        id: digest of its pixels: the same image has the same one, whatever file it came in.
        pixels: (H, W, 3) uint8 RGB.
        frame: its number in the clip; None for a single image.
        spacing: (x, y) mm a pixel at its center, or None.
    """

    id: str
    pixels: np.ndarray
    frame: int | None = None
    spacing: tuple[float, float] | None = None


def read(data: bytes, window: Window | None = None) -> Iterator[Picture]:
    """The pictures of a file, one by one.

    Args:
        data: the file.
        window: gray values shown as black and white.

    Raises:
        DataError: it can't be read; or, after the frames that it has, that others are missing.
    """
    if data.startswith(_NUMPY):
        yield _picture(to_rgb8(_array(data), window=window))
        return
    with tempfile.TemporaryDirectory(prefix="ultrasam-upload-") as folder:
        # Without an ending: what it is is told by its bytes, and videos are left out.
        path = Path(folder) / "upload"
        path.write_bytes(data)
        try:
            for frame in sources.frames(sources.Source(path, path.name), path.name, window):
                yield _picture(frame.read(), frame.number, frame.spacing_of)
        except DataError as error:
            raise DataError(str(error).replace(str(path), "the file that was sent")) from error


def _picture(pixels: np.ndarray, frame: int | None = None, spacing_of: Calibration | None = None) -> Picture:
    height, width = pixels.shape[:2]
    pixels = np.ascontiguousarray(pixels)
    digest = hashlib.blake2b(f"{height}x{width}:".encode(), digest_size=16)
    digest.update(pixels.data)
    center = (width / 2, height / 2)
    return Picture(digest.hexdigest(), pixels, frame, spacing_of((*center, *center)) if spacing_of else None)


def _array(data: bytes) -> np.ndarray:
    """The array of a .npy file; its header is believed only where the bytes that follow agree with it."""
    file = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(file)
        read_header = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[version]
        shape, by_columns, kind = read_header(file)
    except _DAMAGED as error:
        raise DataError(
            "the array that was sent has a damaged header: send what numpy.save writes"
        ) from error
    held = len(data) - file.tell()
    if kind.hasobject or kind.kind not in "uif":
        raise DataError(f"an image must hold numbers of an integer or floating type, got {kind}")
    if any(side < 0 for side in shape) or math.prod(shape) * kind.itemsize != held:
        raise DataError(f"the array that was sent says {shape} of {kind}, but has {held} bytes")
    values = np.frombuffer(data, dtype=kind, offset=file.tell())
    return values.reshape(shape, order="F" if by_columns else "C")
