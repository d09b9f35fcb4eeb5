"""Ultrasound DICOM: frames as RGB, and the millimeters a pixel of each calibrated region."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np

from ultrasam.data import images
from ultrasam.errors import DataError
from ultrasam.predict.files.calibration import Calibration, get, numbers, of_dataset
from ultrasam.predict.files.dicom_header import Opened, opened, reason, whole_number
from ultrasam.predict.files.frame_table import FrameTable, pixel_element, read_table
from ultrasam.predict.pixels import Window, to_rgb8

#: What the values of decoded pixels may mean.
_SHOWN = ("MONOCHROME1", "MONOCHROME2", "RGB", "PALETTE COLOR")
#: Where a file states one time or rate for all frames: seconds a frame of it.
_RATES: tuple[tuple[str, Callable[[float], float]], ...] = (
    ("FrameTime", lambda milliseconds: milliseconds / 1000),
    ("CineRate", lambda rate: 1 / rate),
    ("RecommendedDisplayFrameRate", lambda rate: 1 / rate),
)


@dataclass(frozen=True)
class Clip:
    """A DICOM file's frames and calibration.

    Attributes:
        path: the file.
        calibration: the size of its pixels.
        dataset: the parsed file, without its pixels.
    """

    path: Path
    calibration: Calibration
    dataset: Any = field(repr=False, compare=False)
    _table: FrameTable = field(repr=False)
    _folder: Any = field(repr=False, compare=False, default=None)

    @property
    def frames(self) -> int:
        """How many its pixels hold."""
        return self._table.frames

    def samples(self, number: int) -> tuple[np.ndarray, str]:
        """A frame as it is stored, (H, W) or (H, W, 3), and its photometric interpretation; YBR is made RGB.

        Raises:
            DataError: the pixels can't be decoded.
        """
        try:
            pixels, kind = self._table.decode(number)
        # pydicom and each of its decoders have errors of their own; all mean that this frame can't be read.
        except Exception as error:
            which = f"frame {number} " if self.many else ""
            raise DataError(f"{self.path}: {which}can't be decoded: {reason(error)}") from error
        if kind not in _SHOWN:
            raise DataError(f"{self.path}: its colors ({kind}) can't be made RGB: write it again as RGB")
        return pixels, kind

    def read(self, number: int, window: Window | None = None) -> np.ndarray:
        """Frame ``number`` as (H, W, 3) uint8 RGB.

        The file's own window (VOI) is used for deeper pixels unless one is given.

        Raises:
            DataError: the pixels can't be decoded; where a decoder has to be installed, which one.
        """
        pixels, kind = self.samples(number)
        try:
            if kind == "PALETTE COLOR":
                return _palette(_looked_up(pixels, self.dataset))
            if pixels.ndim == 2 and self._is_rescaled:
                pixels = _rescaled(pixels, self.dataset)
            pixels = to_rgb8(pixels, window=window or _own_window(self.dataset, pixels))
        except DataError as error:
            raise DataError(f"{self.path}: {error}") from error
        return 255 - pixels if kind == "MONOCHROME1" else pixels

    @property
    def many(self) -> bool:
        """Whether it is a clip."""
        return self._table.frames + self._table.missing > 1

    def time(self, number: int) -> float | None:
        """Seconds from the first frame to this one, None where the file does not say."""
        if self._times:
            return round(self._times[number] / 1000, 6)
        return None if self._apart is None else round(number * self._apart, 6)

    @cached_property
    def _times(self) -> Sequence[float]:
        """Milliseconds from the first frame to each; empty where the file does not say."""
        times = get(self.dataset, "FrameTimeVector")
        found = numbers(times, self.frames + self._table.missing) if times else None
        return list(accumulate(found)) if found else ()

    @cached_property
    def _apart(self) -> float | None:
        """Seconds between frames, where they are the same for all."""
        for name, seconds in _RATES:
            value = numbers(get(self.dataset, name), 1)
            if value and value[0] > 0:
                return seconds(value[0])
        return None

    @cached_property
    def _is_rescaled(self) -> bool:
        """Whether stored values are others than those that windows are stated in (PS3.3, C.11.1)."""
        slope, intercept = (
            numbers(get(self.dataset, f"Rescale{name}"), 1) for name in ("Slope", "Intercept")
        )
        return slope is not None and intercept is not None and (slope, intercept) != ((1.0,), (0.0,))

    def lacks(self) -> str | None:
        """What is wrong with the number of its frames, if anything."""
        table, stated = self._table, self._table.frames + self._table.missing
        if table.missing:
            numbered = f"{table.frames} to {stated - 1}" if table.missing > 1 else str(table.frames)
            return (
                f"{self.path}: {table.missing} of its {stated} frames are missing ({numbered}): "
                "the file is cut off"
            )
        if table.surplus:
            return (
                f"{self.path}: its header states {stated} frames, its pixels are those of "
                f"{stated + table.surplus}: what follows the stated ones is not read"
            )
        return None


def open_clip(path: str | Path) -> Clip:
    """Read a DICOM file, with or without preamble, up to its pixels.

    Raises:
        DataError: not DICOM, without pixels, compressed in a way that can't be decoded here, or with a header
            that does not say how the pixels lie.
    """
    path = Path(path)
    try:
        import pydicom  # noqa: F401
    except ImportError as error:
        raise DataError("reading DICOM needs pydicom: pip install 'ultrasam[dicom]'") from error
    try:
        with opened(path) as found:
            return _clip(path, found)
    except OSError as error:
        raise DataError(f"cannot read the DICOM file {path}: {error.strerror or error}") from error
    except ValueError as error:
        raise DataError(f"{path} is not a readable DICOM file: {reason(error)}") from error


def _clip(path: Path, found: Opened) -> Clip:
    dataset, file = found.dataset, found.file
    element = pixel_element(file, dataset.file_meta.TransferSyntaxUID)
    if element is None:
        what = get(dataset, "Modality") or "unknown modality"
        raise DataError(
            f"{path} is DICOM without pixels ({what}), or cut off before them: give a file that holds images"
        )
    _check_decoder(path, dataset)
    stated = whole_number(path, dataset, "NumberOfFrames", 1)
    size = [whole_number(path, dataset, name) for name in ("Rows", "Columns")]
    if size[0] * size[1] > images.MAX_PIXELS:
        raise DataError(f"{path} says that its images have {size[1]} x {size[0]} pixels: too many to be read")
    try:
        table = read_table(found.held, file, dataset, element, stated)
    except DataError as error:
        raise DataError(f"{path} {error}") from error
    return Clip(path, of_dataset(dataset), dataset, table, found.folder)


def _check_decoder(path: Path, dataset: Any) -> None:
    """Raise `DataError`, with what has to be installed, where no decoder of the pixels is at hand."""
    from pydicom.pixels import get_decoder

    syntax = dataset.file_meta.TransferSyntaxUID
    try:
        decoder = get_decoder(syntax)
    except (NotImplementedError, ValueError) as error:
        raise DataError(
            f"{path} is compressed as '{syntax.name}', which pydicom cannot decode: write it again "
            "uncompressed, or take its video out into a file of its own"
        ) from error
    if not decoder.is_available:
        raise DataError(
            f"{path} is compressed as '{syntax.name}', and no decoder for that is installed: "
            "pip install 'ultrasam[dicom]'"
        )


def _rescaled(pixels: np.ndarray, dataset: Any) -> np.ndarray:
    from pydicom.pixels import apply_rescale

    return apply_rescale(pixels, dataset)


def _own_window(dataset: Any, pixels: np.ndarray) -> Window | None:
    """The window that the file states, the first of several; 8-bit pixels are shown as they are."""
    if pixels.dtype == np.uint8:
        return None
    values = [get(dataset, name) for name in ("WindowCenter", "WindowWidth")]
    firsts = [v[0] if isinstance(v, Sequence) and len(v) else v for v in values]
    center, width = (numbers(v, 1) for v in firsts)
    if center is None or width is None or width[0] <= 0:
        return None
    return center[0] - width[0] / 2, center[0] + width[0] / 2


def _looked_up(pixels: np.ndarray, dataset: Any) -> np.ndarray:
    from pydicom.pixels import apply_color_lut

    try:
        return apply_color_lut(pixels, dataset)
    except Exception as error:  # as in `_dataset`
        raise DataError(f"its color table can't be used: {reason(error)}") from error


def _palette(colors: np.ndarray) -> np.ndarray:
    """A color table's 8- or 16-bit values as RGB; they always fill their type's range."""
    return to_rgb8(colors, window=None if colors.dtype == np.uint8 else (0, 65535))
