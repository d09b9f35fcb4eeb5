"""Videos: the frames that can be decoded, and how many cannot."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from ultrasam.data import images
from ultrasam.errors import DataError

#: Reading goes on after a frame that can't be decoded, up to so many one after the other.
_PATIENCE = 256
#: Containers that count their frames. OpenCV estimates the number in others from their duration, which may be
#: that of the sound.
_COUNTED = (".avi", ".mp4", ".mov", ".m4v")
#: The mark of what an ASF file says of itself.
_ASF_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")


def frames(path: Path) -> Iterator[tuple[int, np.ndarray]]:
    """Number, from 0, and image (H, W, 3) uint8 RGB of each frame that can be decoded.

    Raises:
        DataError: the file can't be read; or, after the frames that can be, how many are missing.
    """
    _check_readable(path)
    # No other backend: one would take a file name that ends in digits for a series of images.
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    try:
        height, width = (capture.get(p) for p in (cv2.CAP_PROP_FRAME_HEIGHT, cv2.CAP_PROP_FRAME_WIDTH))
        if height * width > images.MAX_PIXELS:
            raise DataError(f"{path} has frames of {width:.0f} x {height:.0f} pixels, too many")
        stated, rate = capture.get(cv2.CAP_PROP_FRAME_COUNT), capture.get(cv2.CAP_PROP_FPS)
        stated = int(stated) if 0 < stated < 1e10 else 0
        number, decoded, failed, broken = -1, 0, 0, 0
        # At the end reading fails for good.
        while failed < _PATIENCE and not (failed and stated and number + failed >= stated):
            more, image = capture.read()
            if not more:
                failed += 1
                continue
            number = max(number + 1 + failed, _by_time(capture.get(cv2.CAP_PROP_POS_MSEC), rate, stated))
            decoded, broken, failed = decoded + 1, broken + failed, 0
            yield number, images.as_rgb(image)
    except cv2.error as error:
        raise DataError(f"{path}: OpenCV cannot go on reading it ({error.err})") from error
    finally:
        capture.release()
    if decoded == 0:
        raise DataError(f"{path} is not a readable video (damaged, or its codec is not at hand)")
    if path.suffix.lower() in _COUNTED:
        missing = max(stated - decoded, broken)
        if not stated:
            raise DataError(f"{path}: its header is damaged; {decoded} frames were read, there may be more")
    else:
        certain = stated if stated - number - 1 > max(1, 0.02 * stated) else 0
        missing = max(number + 1, certain) - decoded
    if missing > 0:
        whole = decoded + missing
        raise DataError(f"{path}: {missing} of its {whole} frames are missing: it is damaged or cut off")
    if _asf_is_cut(path):
        raise DataError(f"{path} is cut off after {decoded} frames")


def _by_time(milliseconds: float, rate: float, stated: int) -> int:
    """The number that a frame's time gives it, which tells of frames lost without a word before it.

    -1 where the times do not lie a frame apart each, as in videos of varying rate.
    """
    number = milliseconds * rate / 1000
    return round(number) if 0 <= number < stated and abs(number - round(number)) < 0.05 else -1


def _check_readable(path: Path) -> None:
    """OpenCV does not say why it can't open a file."""
    try:
        with path.open("rb"):
            pass
    except OSError as error:
        raise DataError(f"cannot read the video {path}: {error.strerror or error}") from error


def _asf_is_cut(path: Path) -> bool:
    """Whether a WMV file, which does not count its frames, is shorter than it says (ASF, section 3.2)."""
    with path.open("rb") as file:
        start = file.read(8192)
        size = file.seek(0, io.SEEK_END)
    at = start.find(_ASF_PROPERTIES)
    return at >= 0 and len(start) >= at + 48 and struct.unpack("<Q", start[at + 40 : at + 48])[0] > size
