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

    Reading on is as quick as the file allows; reading backwards costs a new start every 32 frames.

    Args:
        path: the file or folder.
        window: gray values shown as black and white, for images of more than 8 bits.

    Raises:
        DataError: not one frame can be read. Where some can't be, a warning says how many.
    """

    def __init__(self, path: str | Path, window: Window | None = None) -> None:
        self._files, self._window = sources.find([path]), window
        self._running: Iterator[Frame] = iter(())
        self._at = 0
        self._kept: dict[int, np.ndarray] = {}
        self._count = self._counted()

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, number: int) -> np.ndarray:
        """A frame, (H, W, 3) uint8 RGB."""
        if not 0 <= number < self._count:
            raise IndexError(f"the clip has frames 0 to {self._count - 1}, not {number}")
        if number in self._kept:
            return self._kept[number]
        first = number
        if number < self._at:
            self._running, self._at = self._frames(), 0
            first = max(number - _KEPT + 1, 0)
        self._kept = {}
        for frame in self._running:
            here, self._at = self._at, self._at + 1
            if here >= first:
                self._kept[here] = frame.read()
            if here == number:
                return self._kept[number]
        raise DataError(f"{self._files[0].path}: frame {number} is gone: has the file changed?")

    def _frames(self) -> Iterator[Frame]:
        for source in self._files:
            yield from sources.frames(source, source.file_name, self._window)

    def _counted(self) -> int:
        count = 0
        try:
            for _ in self._frames():
                count += 1
        except DataError as error:
            if not count:
                raise
            warnings.warn(str(error), stacklevel=3)
        self._at = count
        return count
