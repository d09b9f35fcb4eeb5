"""Volumes (NIfTI, NRRD, MetaImage) through SimpleITK: slices along an axis, and labels like them."""

from __future__ import annotations

import gzip
import tempfile
import threading
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ultrasam.data import files, images
from ultrasam.errors import DataError
from ultrasam.predict.files.calibration import Calibration
from ultrasam.predict.pixels import Window, to_rgb8

#: Endings, and SimpleITK's reader for each: what else it can read is not asked.
READERS = {
    ".nii": "NiftiImageIO",
    ".nii.gz": "NiftiImageIO",
    ".nrrd": "NrrdImageIO",
    ".nhdr": "NrrdImageIO",
    ".mha": "MetaImageIO",
    ".mhd": "MetaImageIO",
}
AXES = ("x", "y", "z")
#: What labels are written as: one compressed file.
LABEL_ENDINGS = {".nii": ".nii.gz", ".nhdr": ".nrrd", ".mhd": ".mha"}
#: The most bytes that a volume which is read whole may have, with eight for each value.
_MAX_BYTES = 16 * 2**30
_GZIP = b"\x1f\x8b"


@dataclass(frozen=True)
class Volume:
    """A volume's slices.

    Attributes:
        path: the file.
        size: voxels along x, y, z, as the file counts them; a clip's frames lie along z.
        spacing: mm along each.
        axis: 0, 1, 2 for x, y, z: what the slices are counted along.
    """

    path: Path
    size: tuple[int, int, int]
    spacing: tuple[float, float, float]
    axis: int
    _whole: _Whole = field(repr=False, compare=False)

    @property
    def slices(self) -> int:
        """How many there are."""
        return self.size[self.axis]

    @property
    def calibration(self) -> Calibration:
        """(x, y) mm a pixel in the slices; unknown where the file has no spacing but ITK's default of 1."""
        across = [self.spacing[i] for i in range(3) if i != self.axis]
        return Calibration(spacing=(across[0], across[1]), source="volume")

    def read(self, number: int, window: Window | None = None) -> np.ndarray:
        """Slice ``number`` as (H, W, 3) uint8 RGB; rows are the later one of the other two axes.

        Raises:
            DataError: it can't be read, or has more than 8 bits and there is no window.
        """
        values = self._whole.slice(self, number)
        try:
            return to_rgb8(values, window=window)
        except DataError as error:
            raise DataError(f"{self.path}: {error}") from error

    def write_labels(self, path: Path, slices: dict[int, np.ndarray]) -> None:
        """Write a volume of labels with this one's geometry.

        Args:
            path: the file; its ending names the format.
            slices: by number, (H, W) uint8 or uint16; the others are 0.
        """
        import SimpleITK

        kind = next(iter(slices.values())).dtype
        labels = np.zeros(self.size[::-1], kind)
        for number, values in slices.items():
            labels[_at(self.axis, number)] = values
        image = SimpleITK.GetImageFromArray(labels)
        reader = _reader(self.path)
        if reader.GetDimension() == 2:
            image = image[:, :, 0]
        image.SetSpacing(reader.GetSpacing())
        image.SetOrigin(reader.GetOrigin())
        image.SetDirection(reader.GetDirection())
        # What is written follows from the ending, which a temporary name beside the file has not.
        with tempfile.TemporaryDirectory(prefix="ultrasam-labels-") as folder:
            whole = Path(folder) / path.name
            SimpleITK.WriteImage(image, str(whole), useCompression=True)
            files.write_bytes(path, whole.read_bytes())


class _Whole:
    """The values of a volume that has to be read whole; of others each slice is read alone."""

    def __init__(self, at_once: bool) -> None:
        self._at_once, self._lock = at_once, threading.Lock()
        self._values: np.ndarray | None = None

    def slice(self, volume: Volume, number: int) -> np.ndarray:
        if not self._at_once:
            return _read(volume, number)
        with self._lock:
            if self._values is None:
                self._values = _read(volume, None)
            return self._values[_at(volume.axis, number)]


def ending(path: Path) -> str | None:
    """The ending of a volume's name, None for other files."""
    name = path.name.lower()
    return next((end for end in sorted(READERS, key=len, reverse=True) if name.endswith(end)), None)


def open_volume(path: Path, axis: str = "z") -> Volume:
    """Read a volume's header.

    Raises:
        DataError: it can't be read, or is no volume of one value or color a voxel.
    """
    reader = _reader(path)
    size, spacing = list(reader.GetSize()), list(reader.GetSpacing())
    if len(size) > 3 and set(size[3:]) != {1}:
        raise DataError(
            f"{path} has {len(size)} dimensions {tuple(size)}: write each of its volumes to a file"
        )
    size, spacing = [*size, 1, 1][:3], [*spacing, 1.0, 1.0][:3]
    parts = reader.GetNumberOfComponents()
    if parts not in (1, 3, 4):
        raise DataError(f"{path} has {parts} values a voxel: 1 (gray), 3 (color) or 4 can be shown")
    number = AXES.index(axis)
    across = [size[i] for i in range(3) if i != number]
    if across[0] * across[1] > images.MAX_PIXELS:
        raise DataError(f"{path} has slices of {across[0]} x {across[1]} pixels, too many")
    _check_gzip(path)
    at_once = _at_once(path)
    if at_once and np.prod(size, dtype=float) * parts * 8 > _MAX_BYTES:
        raise DataError(f"{path} is too large to be read at once: write it as uncompressed MetaImage")
    x, y, z = size
    return Volume(path, (x, y, z), (spacing[0], spacing[1], spacing[2]), number, _Whole(at_once))


def _reader(path: Path) -> Any:
    try:
        import SimpleITK
    except ImportError as error:
        raise DataError(
            f"{path}: reading volumes needs SimpleITK: pip install 'ultrasam[volumes]'"
        ) from error
    end = ending(path)
    reader = SimpleITK.ImageFileReader()
    reader.SetImageIO(READERS[end or ".nii"])
    reader.SetFileName(str(path))
    try:
        with path.open("rb"):
            pass
        reader.ReadImageInformation()
    except OSError as error:
        raise DataError(f"cannot read the volume {path}: {error.strerror or error}") from error
    except RuntimeError as error:
        raise DataError(f"{path} is not a readable volume: {_reason(error)}") from error
    return reader


def _read(volume: Volume, number: int | None) -> np.ndarray:
    """The slice of a number, or all values, as (Z, Y, X) with channels last."""
    import SimpleITK

    reader = _reader(volume.path)
    count = reader.GetDimension()
    if number is not None:
        first, size = [0] * count, list(reader.GetSize())
        if volume.axis < count:
            first[volume.axis], size[volume.axis] = number, 1
        reader.SetExtractIndex(first)
        reader.SetExtractSize(size)
    try:
        values = SimpleITK.GetArrayFromImage(reader.Execute())
    except (RuntimeError, MemoryError) as error:
        which = "" if number is None else f"slice {number} "
        raise DataError(f"{volume.path}: {which}can't be read: {_reason(error)}") from error
    shape = list(volume.size)
    if number is not None:
        shape[volume.axis] = 1
    channels = values.shape[-1:] if reader.GetNumberOfComponents() > 1 else ()
    values = values.reshape(*shape[::-1], *channels)
    return values if number is None else values[_at(volume.axis, 0)]


def _at(axis: int, number: int) -> tuple[Any, ...]:
    """The index of a slice in (Z, Y, X)."""
    index: list[Any] = [slice(None)] * 3
    index[2 - axis] = number
    return tuple(index)


def _at_once(path: Path) -> bool:
    """Whether a volume has to be read whole: compressed ones, and NRRD, of which ITK reads no parts."""
    with path.open("rb") as file:
        head = file.read(4096)
    if head.startswith((b"NRRD", _GZIP)):
        return True
    return b"compresseddata=true" in head.lower().replace(b" ", b"")


def _check_gzip(path: Path) -> None:
    """Raise `DataError` for a damaged .nii.gz: ITK would fill what is missing with zeros, without a word."""
    with path.open("rb") as file:
        if file.read(2) != _GZIP:
            return
    try:
        with gzip.open(path) as packed:
            while packed.read(2**20):
                pass
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} is damaged or cut off: {error}") from error


def _reason(error: Exception) -> str:
    """The last line of an error of ITK's, which begins with its source files."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1].rstrip(":") if lines else type(error).__name__
