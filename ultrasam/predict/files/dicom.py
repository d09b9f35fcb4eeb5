"""Ultrasound DICOM: frames as RGB, and the millimeters a pixel of each calibrated region."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ultrasam.errors import DataError
from ultrasam.predict.pixels import Window, to_rgb8

#: PhysicalUnitsXDirection of lengths; DICOM gives them in centimeters.
_CENTIMETERS = 3
#: RegionSpatialFormat of two-dimensional images; others are spectra, M-mode and graphs.
_TWO_DIMENSIONAL = 1


@dataclass(frozen=True)
class Region:
    """A calibrated part of the image.

    Attributes:
        box: x1, y1, x2, y2 in pixels, the last row and column included in it.
        spacing: (x, y) mm a pixel.
    """

    box: tuple[float, float, float, float]
    spacing: tuple[float, float]


@dataclass(frozen=True)
class Clip:
    """A DICOM file's frames and calibration.

    Attributes:
        path: the file.
        frames: how many.
        regions: calibrated two-dimensional regions.
        spacing: of the whole image where the file has no regions, or None.
    """

    path: Path
    frames: int
    regions: tuple[Region, ...]
    spacing: tuple[float, float] | None

    def read(self, number: int, window: Window | None = None) -> np.ndarray:
        """Frame ``number`` as (H, W, 3) uint8 RGB.

        The file's own window (VOI) is used for deeper pixels unless one is given.

        Raises:
            DataError: the pixels can't be decoded.
        """
        dataset = _dataset(self.path)
        try:
            from pydicom.pixels import apply_color_lut, pixel_array

            index = number if self.frames > 1 else None
            # Color spaces such as YBR are converted to RGB by pydicom 3.
            pixels = pixel_array(dataset, index=index)
            kind = str(dataset.get("PhotometricInterpretation", ""))
            if kind == "PALETTE COLOR":
                return _palette(apply_color_lut(pixels, dataset))
        except Exception as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise DataError(
                f"{self.path}: the pixels of frame {number} can't be decoded: {reason}"
            ) from error
        window = window or _own_window(dataset, pixels)
        pixels = to_rgb8(pixels, window=window)
        return 255 - pixels if kind == "MONOCHROME1" else pixels

    def spacing_of(self, box: Sequence[float]) -> tuple[float, float] | None:
        """The spacing that holds for a box x1, y1, x2, y2: of the smallest region around all of it."""
        around = [r for r in self.regions if _contains(r.box, box)]
        if around:
            return min(around, key=lambda r: (r.box[2] - r.box[0]) * (r.box[3] - r.box[1])).spacing
        return None if self.regions else self.spacing


def open_clip(path: str | Path) -> Clip:
    """Read a DICOM file's header.

    Raises:
        DataError: not DICOM, or without pixels.
    """
    dataset = _dataset(path)
    if not any(key in dataset for key in ("PixelData", "FloatPixelData", "DoubleFloatPixelData")):
        what = dataset.get("Modality", "unknown modality")
        raise DataError(f"{path} is DICOM without pixels ({what}): give a file that holds images")
    spacing = dataset.get("PixelSpacing")
    return Clip(
        Path(path),
        int(dataset.get("NumberOfFrames", 1) or 1),
        tuple(_regions(dataset)),
        # DICOM gives the row spacing (y) first.
        (float(spacing[1]), float(spacing[0])) if spacing else None,
    )


def is_dicom(path: Path) -> bool:
    """Whether a file carries DICOM's mark (or ending, for old files without it)."""
    try:
        with path.open("rb") as file:
            return file.read(132)[128:] == b"DICM"
    except OSError:
        return False


def _dataset(path: str | Path) -> Any:
    try:
        import pydicom
    except ImportError as error:
        raise DataError("reading DICOM needs pydicom: pip install 'ultrasam[dicom]'") from error
    try:
        return pydicom.dcmread(path)
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataError(f"{path} is not a readable DICOM file: {reason}") from error


def _regions(dataset: Any) -> list[Region]:
    found = []
    for item in dataset.get("SequenceOfUltrasoundRegions") or []:
        units = (item.get("PhysicalUnitsXDirection"), item.get("PhysicalUnitsYDirection"))
        deltas = [abs(float(item.get(f"PhysicalDelta{axis}", 0) or 0)) for axis in "XY"]
        if units != (_CENTIMETERS, _CENTIMETERS) or not all(deltas):
            continue
        if int(item.get("RegionSpatialFormat", 0)) != _TWO_DIMENSIONAL:
            continue
        names = ("RegionLocationMinX0", "RegionLocationMinY0", "RegionLocationMaxX1", "RegionLocationMaxY1")
        x1, y1, x2, y2 = (float(item.get(name)) for name in names)
        found.append(Region((x1, y1, x2 + 1, y2 + 1), (deltas[0] * 10, deltas[1] * 10)))
    return found


def _contains(outer: Sequence[float], inner: Sequence[float]) -> bool:
    return outer[0] <= inner[0] and outer[1] <= inner[1] and outer[2] >= inner[2] and outer[3] >= inner[3]


def _own_window(dataset: Any, pixels: np.ndarray) -> Window | None:
    """The window that the file states; 8-bit pixels are shown as they are."""
    if pixels.dtype == np.uint8:
        return None
    center, width = dataset.get("WindowCenter"), dataset.get("WindowWidth")
    if center is None or width is None:
        return None
    center, width = (float(v[0]) if hasattr(v, "__len__") else float(v) for v in (center, width))
    return (center - width / 2, center + width / 2) if width > 0 else None


def _palette(colors: np.ndarray) -> np.ndarray:
    """A color table's 8- or 16-bit values as RGB; they always fill their type's range."""
    return to_rgb8(colors, window=None if colors.dtype == np.uint8 else (0, 65535))
