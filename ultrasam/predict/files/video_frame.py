"""What readers of videos give, and how they tell what is missing."""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ultrasam.data import images
from ultrasam.errors import DataError

#: Containers that count their frames. Of others the duration tells it, roughly.
COUNTED = (".avi", ".mp4", ".mov", ".m4v")
#: The mark of what an ASF file says of itself.
_ASF_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")


class VideoFrame(NamedTuple):
    """A frame: its number from 0, seconds since the first (None where not known), (H, W, 3) uint8 RGB."""

    number: int
    time: float | None
    image: np.ndarray


class VideoSize(NamedTuple):
    """How many frames a video has, as far as is known without decoding it, and their size upright."""

    frames: int
    height: int
    width: int


def check_size(path: Path, height: float, width: float) -> None:
    """Raise `DataError` for frames too large to be decoded."""
    if height * width > images.MAX_PIXELS:
        raise DataError(f"{path} has frames of {width:.0f} x {height:.0f} pixels, too many")


def check_whole(
    path: Path,
    read: int,
    lacking: Sequence[tuple[int, int]],
    stated: int,
    spoiled: Sequence[tuple[int, int]] = (),
) -> None:
    """Raise `DataError` that tells which frames are missing, if any.

    Args:
        path: the file.
        read: how many frames were read.
        lacking: first and last number of each row of frames that were not.
        stated: how many frames the file says that it has; 0 where it does not.
        spoiled: the same of those that were read but depend on missing ones.
    """
    if read == 0:
        raise DataError(f"{path} is not a readable video (damaged, or its codec is not at hand)")
    if path.suffix.lower() in COUNTED and not stated:
        raise DataError(f"{path}: its header is damaged; {read} frames were read, there may be more")
    missing = sum(last - first + 1 for first, last in lacking)
    if missing:
        depend = f"; frames {_listed(spoiled)} are made from missing ones and may be wrong" if spoiled else ""
        raise DataError(
            f"{path}: {missing} of its {read + missing} frames are missing ({_listed(lacking)}): "
            f"it is damaged or cut off{depend}"
        )
    if _asf_is_cut(path):
        raise DataError(f"{path} is cut off after {read} frames")


def _listed(found: Sequence[tuple[int, int]]) -> str:
    """Rows of frames as text."""
    told = [str(first) if first == last else f"{first} to {last}" for first, last in found]
    return ", ".join(told[:8]) + (f" and {len(told) - 8} rows more" if len(told) > 8 else "")


def rows(numbers: Sequence[int]) -> list[tuple[int, int]]:
    """Ascending numbers as rows without gaps: the first and the last of each."""
    found: list[tuple[int, int]] = []
    for number in numbers:
        if found and number == found[-1][1] + 1:
            found[-1] = found[-1][0], number
        else:
            found.append((number, number))
    return found


def _asf_is_cut(path: Path) -> bool:
    """Whether a WMV file, which does not count its frames, is shorter than it says (ASF, section 3.2)."""
    with path.open("rb") as file:
        start = file.read(8192)
        size = file.seek(0, io.SEEK_END)
    at = start.find(_ASF_PROPERTIES)
    return at >= 0 and len(start) >= at + 48 and struct.unpack("<Q", start[at + 40 : at + 48])[0] > size
