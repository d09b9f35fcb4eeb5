"""Ultrasound DICOM: frames as RGB, and the millimeters a pixel of each calibrated region."""

from __future__ import annotations

import tempfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ultrasam.data import images
from ultrasam.errors import DataError
from ultrasam.predict.files.calibration import Calibration, get, numbers, of_dataset
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
#: The most bytes that a deflated file may inflate to.
_MAX_INFLATED = 2**30
#: How the first data element of a file without preamble begins: a tag of group 2 or 8.
_FIRST_TAGS = (b"\x02\x00\x00\x00", b"\x08\x00", b"\x00\x08\x00")


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
            raise DataError(f"{self.path}: {which}can't be decoded: {_reason(error)}") from error
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
        times = get(self.dataset, "FrameTimeVector")
        found = numbers(times, self.frames + self._table.missing) if times else None
        if found:
            return round(list(accumulate(found))[number] / 1000, 6)
        for name, seconds in _RATES:
            value = numbers(get(self.dataset, name), 1)
            if value and value[0] > 0:
                return round(number * seconds(value[0]), 6)
        return None

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
        folder = _inflated(path)
        held = path if folder is None else Path(folder.name) / "inflated.dcm"
        with held.open("rb") as file:
            dataset = _dataset(file)
            return _clip(path, held, file, dataset, folder)
    except OSError as error:
        raise DataError(f"cannot read the DICOM file {path}: {error.strerror or error}") from error
    except ValueError as error:
        raise DataError(f"{path} is not a readable DICOM file: {_reason(error)}") from error


def read_header(path: Path) -> Any:
    """A file's data elements before its pixels, None for one that is not readable DICOM."""
    if not is_dicom(path):
        return None
    try:
        with path.open("rb") as file:
            return _dataset(file)
    except (OSError, ValueError):
        return None


def _clip(path: Path, held: Path, file: BinaryIO, dataset: Any, folder: Any) -> Clip:
    element = pixel_element(file, dataset.file_meta.TransferSyntaxUID)
    if element is None:
        what = get(dataset, "Modality") or "unknown modality"
        raise DataError(
            f"{path} is DICOM without pixels ({what}), or cut off before them: give a file that holds images"
        )
    _check_decoder(path, dataset)
    stated = _whole_number(path, dataset, "NumberOfFrames", 1)
    size = [_whole_number(path, dataset, name) for name in ("Rows", "Columns")]
    if size[0] * size[1] > images.MAX_PIXELS:
        raise DataError(f"{path} says that its images have {size[1]} x {size[0]} pixels: too many to be read")
    try:
        table = read_table(held, file, dataset, element, stated)
    except DataError as error:
        raise DataError(f"{path} {error}") from error
    return Clip(path, of_dataset(dataset), dataset, table, folder)


def is_dicom(path: Path) -> bool:
    """Whether a file carries DICOM's mark, or, without it, begins as its oldest files do."""
    try:
        with path.open("rb") as file:
            start = file.read(132)
    except OSError:
        return False
    return start[128:] == b"DICM" or (len(start) == 132 and start.startswith(_FIRST_TAGS))


def _dataset(file: BinaryIO) -> Any:
    """All that lies before the pixels; the file stands where they begin."""
    import pydicom
    from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

    try:
        dataset = pydicom.dcmread(file, force=True, stop_before_pixels=True)
        # Any bytes can be parsed; the class and time of what a file holds stand in group 8.
        if not len(dataset.group_dataset(0x0008)):
            raise ValueError("it holds no data elements of DICOM's")
        if "TransferSyntaxUID" not in dataset.file_meta:
            implicit, little = dataset.original_encoding
            explicit = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
            dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else explicit
    except OSError:
        raise
    # pydicom lets out whatever goes wrong while it parses damaged bytes.
    except Exception as error:
        raise ValueError(_reason(error)) from error
    return dataset


def _inflated(path: Path) -> Any:
    """A temporary folder with a deflated file as it was before that; None for any other file.

    pydicom would inflate it in memory, whatever its size.
    """
    from pydicom.filebase import DicomBytesIO
    from pydicom.filereader import read_file_meta_info
    from pydicom.filewriter import write_file_meta_info
    from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian

    with path.open("rb") as file:
        if file.read(132)[128:] != b"DICM":
            return None
    try:
        meta = read_file_meta_info(path)
        if meta.get("TransferSyntaxUID") != DeflatedExplicitVRLittleEndian:
            return None
        # The data set follows the group length's element, which ends at byte 144, and what it counts.
        begin = 144 + int(meta.FileMetaInformationGroupLength)
    except OSError:
        raise
    except Exception as error:  # as in `_dataset`
        raise ValueError(_reason(error)) from error
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    folder = tempfile.TemporaryDirectory(prefix="ultrasam-inflated-")
    inflate, size = zlib.decompressobj(-zlib.MAX_WBITS), 0
    head = DicomBytesIO()
    write_file_meta_info(head, meta, enforce_standard=False)
    with path.open("rb") as file, (Path(folder.name) / "inflated.dcm").open("wb") as out:
        out.write(bytes(128) + b"DICM" + head.getvalue())
        file.seek(begin)
        try:
            while chunk := inflate.unconsumed_tail or file.read(2**16):
                size += out.write(inflate.decompress(chunk, 2**20))
                if size > _MAX_INFLATED:
                    raise ValueError(f"it inflates to more than {_MAX_INFLATED:,} bytes")
        except zlib.error as error:
            raise ValueError(str(error)) from error
    return folder


def _whole_number(path: Path, dataset: Any, name: str, default: int | None = None) -> int:
    """A number above 0; the default where it is absent, empty or 0."""
    raw = dataset.get_item(name).value if name in dataset else None
    found = numbers(get(dataset, name), 1)
    if default is not None and (not raw or found == (0.0,)):
        return default
    if found is None or found[0] < 1 or found[0] != int(found[0]):
        shown = raw.decode("latin-1").strip() if isinstance(raw, bytes) and found is None else found
        raise DataError(
            f"{path} has a damaged header: {name} is {shown[0] if isinstance(shown, tuple) else shown!r}, "
            "it must be a whole number above 0"
        )
    return int(found[0])


def _reason(error: Exception) -> str:
    """An error of pydicom's in one line that does not end where a list would begin."""
    text = " ".join(str(error).split())
    if len(text) > 300:
        return text[:300].rsplit(" ", 1)[0] + " ..."
    return text.rstrip(":") or type(error).__name__


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
    """Stored values as those that windows are stated in (PS3.3, C.11.1)."""
    from pydicom.pixels import apply_rescale

    if pixels.ndim != 2:
        return pixels
    slope, intercept = (numbers(get(dataset, f"Rescale{name}"), 1) for name in ("Slope", "Intercept"))
    if slope is None or intercept is None or (slope, intercept) == ((1.0,), (0.0,)):
        return pixels
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
        raise DataError(f"its color table can't be used: {_reason(error)}") from error


def _palette(colors: np.ndarray) -> np.ndarray:
    """A color table's 8- or 16-bit values as RGB; they always fill their type's range."""
    return to_rgb8(colors, window=None if colors.dtype == np.uint8 else (0, 65535))
