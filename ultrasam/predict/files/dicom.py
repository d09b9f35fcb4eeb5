"""Ultrasound DICOM: frames as RGB, and the millimeters a pixel of each calibrated region."""

from __future__ import annotations

import io
import re
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ultrasam.data import images
from ultrasam.errors import DataError
from ultrasam.predict.files.calibration import Region, contains, get, numbers, regions
from ultrasam.predict.pixels import Window, to_rgb8

_PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
#: The most bytes that a deflated file may inflate to.
_MAX_INFLATED = 2**30
#: How the first data element of a file without preamble begins: a tag of group 2 or 8.
_FIRST_TAGS = (b"\x02\x00\x00\x00", b"\x08\x00", b"\x00\x08\x00")


@dataclass(frozen=True)
class Clip:
    """A DICOM file's frames and calibration.

    Attributes:
        path: the file.
        frames: how many its pixels hold.
        missing: how many more its header promises.
        regions: calibrated two-dimensional regions; those that do not say where they are, or in which unit,
            are left out.
        spacing: of the whole image where the file has no regions, or None.
        dataset: the parsed file, which is read once for all frames.
    """

    path: Path
    frames: int
    missing: int
    regions: tuple[Region, ...]
    spacing: tuple[float, float] | None
    dataset: Any = field(repr=False, compare=False)

    def read(self, number: int, window: Window | None = None) -> np.ndarray:
        """Frame ``number`` as (H, W, 3) uint8 RGB.

        The file's own window (VOI) is used for deeper pixels unless one is given.

        Raises:
            DataError: the pixels can't be decoded; where a decoder has to be installed, which one.
        """
        from pydicom.pixels import apply_color_lut, pixel_array

        try:
            # Color spaces such as YBR are converted to RGB by pydicom 3.
            pixels = pixel_array(self.dataset, index=number if self.frames > 1 else None)
            kind = str(self.dataset.get("PhotometricInterpretation", ""))
            if kind == "PALETTE COLOR":
                return _palette(apply_color_lut(pixels, self.dataset))
        # pydicom and each of its decoders have errors of their own; all mean that this frame can't be read.
        except Exception as error:
            which = f"frame {number} " if self.frames > 1 else ""
            raise DataError(f"{self.path}: {which}can't be decoded: {_reason(error)}") from error
        try:
            pixels = to_rgb8(pixels, window=window or _own_window(self.dataset, pixels))
        except DataError as error:
            raise DataError(f"{self.path}: {error}") from error
        return 255 - pixels if kind == "MONOCHROME1" else pixels

    @property
    def calibrated(self) -> bool:
        """Whether the file says anything of the size of its pixels."""
        return bool(self.regions or self.spacing)

    def spacing_of(self, box: Sequence[float]) -> tuple[float, float] | None:
        """The spacing that holds for a box x1, y1, x2, y2: of the smallest region around all of it."""
        around = [r for r in self.regions if contains(r.box, box)]
        if around:
            return min(around, key=lambda r: (r.box[2] - r.box[0]) * (r.box[3] - r.box[1])).spacing
        return None if self.regions else self.spacing


def open_clip(path: str | Path) -> Clip:
    """Read a DICOM file, with or without preamble.

    Raises:
        DataError: not DICOM, without pixels, compressed in a way that can't be decoded here, or with a header
            that does not say how the pixels lie.
    """
    path = Path(path)
    dataset = _dataset(path)
    if not any(key in dataset for key in _PIXELS):
        what = get(dataset, "Modality") or "unknown modality"
        raise DataError(
            f"{path} is DICOM without pixels ({what}), or cut off before them: give a file that holds images"
        )
    _check_decoder(path, dataset)
    stated = _whole_number(path, dataset, "NumberOfFrames", 1)
    size = [_whole_number(path, dataset, name) for name in ("Rows", "Columns")]
    if size[0] * size[1] > images.MAX_PIXELS:
        raise DataError(f"{path} says that its images have {size[1]} x {size[0]} pixels: too many to be read")
    frames = min(stated, _frames_held(path, dataset, stated))
    dataset.NumberOfFrames = frames
    spacing = numbers(get(dataset, "PixelSpacing"), 2)
    return Clip(
        path,
        frames,
        stated - frames,
        tuple(regions(dataset)),
        # DICOM gives the row spacing (y) first.
        (spacing[1], spacing[0]) if spacing and min(spacing) > 0 else None,
        dataset,
    )


def is_dicom(path: Path) -> bool:
    """Whether a file carries DICOM's mark, or, without it, begins as its oldest files do."""
    try:
        with path.open("rb") as file:
            start = file.read(132)
    except OSError:
        return False
    return start[128:] == b"DICM" or (len(start) == 132 and start.startswith(_FIRST_TAGS))


def _dataset(path: Path) -> Any:
    try:
        import pydicom
        from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian
    except ImportError as error:
        raise DataError("reading DICOM needs pydicom: pip install 'ultrasam[dicom]'") from error
    try:
        _check_inflated(path)
        dataset = pydicom.dcmread(path, force=True)
        # Any bytes can be parsed; the class and time of what a file holds stand in group 8.
        if not len(dataset.group_dataset(0x0008)):
            raise ValueError("it holds no data elements of DICOM's")
        if "TransferSyntaxUID" not in dataset.file_meta:
            implicit, little = dataset.original_encoding
            explicit = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
            dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else explicit
    except OSError as error:
        raise DataError(f"cannot read the DICOM file {path}: {error.strerror or error}") from error
    # pydicom lets out whatever goes wrong while it parses damaged bytes.
    except Exception as error:
        raise DataError(f"{path} is not a readable DICOM file: {_reason(error)}") from error
    return dataset


def _check_inflated(path: Path) -> None:
    """Refuse a deflated file that would fill the memory: pydicom inflates it whole."""
    from pydicom.filereader import read_file_meta_info
    from pydicom.uid import DeflatedExplicitVRLittleEndian

    with path.open("rb") as file:
        if file.read(132)[128:] != b"DICM":
            return
    meta = read_file_meta_info(path)
    if meta.get("TransferSyntaxUID") != DeflatedExplicitVRLittleEndian:
        return
    inflate, size = zlib.decompressobj(-zlib.MAX_WBITS), 0
    with path.open("rb") as file:
        # The data set follows the group length's element, which ends at byte 144, and what it counts.
        file.seek(144 + int(meta.FileMetaInformationGroupLength))
        while chunk := inflate.unconsumed_tail or file.read(2**16):
            size += len(inflate.decompress(chunk, 2**20))
            if size > _MAX_INFLATED:
                raise ValueError(f"it inflates to more than {_MAX_INFLATED:,} bytes")


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
        ways = [_packages(needed) for needed in decoder.missing_dependencies]
        # pylibjpeg's come first: they are wheels for every system.
        ways.sort(key=lambda way: "pylibjpeg" not in way)
        raise DataError(
            f"{path} is compressed as '{syntax.name}', and no decoder for that is installed: "
            f"pip install {' (or: pip install '.join(ways)}{')' * (len(ways) - 1)}"
        )


def _packages(needed: str) -> str:
    """What to give to pip for a line such as ``gdcm - requires gdcm>=3.0.10`` of pydicom's."""
    names = re.findall(r"[a-z][a-z0-9-]*", needed.partition(" requires ")[2])
    return " ".join({"gdcm": "python-gdcm"}.get(n, n) for n in names if n not in ("and", "numpy"))


def _frames_held(path: Path, dataset: Any, stated: int) -> int:
    """How many frames there are pixels for, 1 at least and ``stated`` at most; nothing is decoded."""
    from pydicom.encaps import parse_basic_offsets, parse_fragments
    from pydicom.pixels.utils import get_expected_length

    if stated == 1 or "PixelData" not in dataset:
        return stated
    data = dataset.PixelData
    try:
        if dataset.file_meta.TransferSyntaxUID.is_encapsulated:
            buffer = io.BytesIO(data)
            parse_basic_offsets(buffer)
            held = parse_fragments(buffer)[0]
        else:
            held = len(data) * stated // get_expected_length(dataset)
    except (ValueError, TypeError, AttributeError, KeyError, ZeroDivisionError, struct.error) as error:
        raise DataError(f"{path} has damaged pixel data: {_reason(error)}") from error
    return min(max(held, 1), stated)


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


def _palette(colors: np.ndarray) -> np.ndarray:
    """A color table's 8- or 16-bit values as RGB; they always fill their type's range."""
    return to_rgb8(colors, window=None if colors.dtype == np.uint8 else (0, 65535))
