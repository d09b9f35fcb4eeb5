"""Any frame of a clip on disk when it is asked for, in memory that does not grow with the clip."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ultrasam.errors import DataError
from ultrasam.predict.files import sources
from ultrasam.predict.files.sources import Frame
from ultrasam.predict.pixels import Window

#: Frames that are kept when a clip is read backwards, of which videos allow forwards alone.
_KEPT = 32


class ClipReader:
    """The frames of a video, multi-frame DICOM file or stack, or of a folder of pictures by their names.

    A DICOM series is in the order of its instances. Frames keep their numbers where others before them can't
    be read. Reading on is as quick as the file allows; reading backwards costs a new start every 32 frames.

    Args:
        path: the file or folder.
        window: gray values shown as black and white, for images of more than 8 bits.

    Raises:
        DataError: not one frame can be read. Where some can't be, a warning says which.
    """

    def __init__(self, path: str | Path, window: Window | None = None) -> None:
        self._path, self._window = path, window
        self._files = sources.join_series(sources.find([path]))
        self._running: Iterator[tuple[int, Frame]] = iter(())
        self._kept: dict[int, np.ndarray] = {}
        wrong: list[str] = []
        there = {number for number, _ in self._frames(wrong)}
        if not there:
            raise DataError("; ".join(wrong))
        if wrong:
            warnings.warn("; ".join(wrong), stacklevel=2)
        self._count = self._at = max(there) + 1
        self._absent = set(range(self._count)) - there

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, number: int) -> np.ndarray:
        """A frame, (H, W, 3) uint8 RGB.

        Raises:
            DataError: it can't be read; others may.
            IndexError: there is no such frame.
        """
        if not 0 <= number < self._count:
            raise IndexError(f"the clip has frames 0 to {self._count - 1}, not {number}")
        if number in self._absent:
            raise DataError(f"{self._path}: frame {number} is damaged or missing")
        if number in self._kept:
            return self._kept[number]
        first = number
        if number < self._at:
            self._running, self._at = self._frames([]), 0
            first = max(number - _KEPT + 1, 0)
        self._kept = {}
        for here, frame in self._running:
            self._at = here + 1
            if here >= first:
                try:
                    self._kept[here] = frame.read()
                except DataError:
                    if here == number:
                        raise
            if here == number:
                return self._kept[number]
        raise DataError(f"{self._path}: frame {number} is gone: has the file changed?")

    def _frames(self, wrong: list[str]) -> Iterator[tuple[int, Frame]]:
        """The frames with their numbers; what can't be read of a file is added to ``wrong``."""
        start = 0
        for source in self._files:
            last = -1
            try:
                for frame in sources.frames(source, source.file_name, self._window):
                    last = last + 1 if frame.number is None else frame.number
                    yield start + last, frame
            except DataError as error:
                wrong.append(str(error))
                # A picture that can't be read has its place in a folder all the same.
                last = max(last, 0)
            start += last + 1
