"""Where the pixels of each frame of a DICOM file lie, so that any frame is read and decoded alone."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ultrasam.errors import DataError

_ITEM, _UNDEFINED = (0xFFFE, 0xE000), 0xFFFFFFFF
_KEYWORDS = {
    (0x7FE0, 0x0008): "FloatPixelData",
    (0x7FE0, 0x0009): "DoubleFloatPixelData",
    (0x7FE0, 0x0010): "PixelData",
}

#: Place and length in the file of each piece of a frame.
Pieces = list[tuple[int, int]]
#: Samples a pixel of what is stored as it is shown.
_AS_SHOWN = {"MONOCHROME1": 1, "MONOCHROME2": 1, "PALETTE COLOR": 1, "RGB": 3}


@dataclass(frozen=True)
class FrameTable:
    """The frames of a file.

    Attributes:
        path: the file.
        frames: how many there are pixels for, no more than the header states.
        missing: how many more the header states.
        surplus: how many there are beyond those that the header states.
    """

    path: Path
    frames: int
    missing: int
    surplus: int
    _start: int = field(repr=False)
    _pieces: list[Pieces] | None = field(repr=False)
    _options: dict[str, Any] = field(repr=False, compare=False)
    _plain: Plain | None = field(repr=False, compare=False)

    def decode(self, number: int) -> tuple[np.ndarray, str]:
        """A frame's samples, (H, W) or (H, W, 3), and their photometric interpretation; YBR is made RGB.

        Raises:
            DataError: the file ends before the frame does.
            Exception: those of pydicom and its decoders, which have no base of their own.
        """
        if self._plain is not None:
            return self._plain.read(self.path, self._start, number), self._plain.kind
        from pydicom.pixels import get_decoder

        decoder = get_decoder(self._options["transfer_syntax_uid"])
        with self.path.open("rb") as file:
            if self._pieces is None:
                file.seek(self._start)
                options: Any = {**self._options, "number_of_frames": self.frames}
                pixels, said = decoder.as_array(file, index=number, **options)
            else:
                source = _alone(b"".join(_read(file, *piece) for piece in self._pieces[number]))
                options = {**self._options, "number_of_frames": 1}
                pixels, said = decoder.as_array(source, index=0, **options)
        return pixels, str(said["photometric_interpretation"])


@dataclass(frozen=True)
class Plain:
    """Frames whose bytes are the samples as they are shown: nothing is packed, shifted or converted.

    pydicom reads them too, with as much work again as reading them takes.

    Attributes:
        kind: photometric interpretation.
        shape: (H, W) or (H, W, 3).
        dtype: of a sample.
    """

    kind: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @classmethod
    def of(cls, options: dict[str, Any], syntax: Any) -> Plain | None:
        """How frames of these pixel options lie; None where it takes pydicom to read them."""
        kind, samples = str(options.get("photometric_interpretation")), options.get("samples_per_pixel")
        depth, signed = options.get("bits_allocated"), options.get("pixel_representation")
        if (
            syntax.is_encapsulated
            or not syntax.is_little_endian
            or options["pixel_keyword"] != "PixelData"
            or _AS_SHOWN.get(kind) != samples
            or (samples == 3 and options.get("planar_configuration") != 0)
            or depth not in (8, 16)
            or options.get("bits_stored") != depth
            or signed not in (0, 1)
        ):
            return None
        size = options["rows"], options["columns"]
        dtype = np.dtype(f"<{'ui'[signed]}{depth // 8}")
        return cls(kind, (*size, 3) if samples == 3 else size, dtype)

    @property
    def nbytes(self) -> int:
        """Of a frame."""
        return math.prod(self.shape) * self.dtype.itemsize

    def read(self, path: Path, start: int, number: int) -> np.ndarray:
        """A frame of a file whose first one begins at byte ``start``."""
        count = math.prod(self.shape)
        samples = np.fromfile(path, self.dtype, count, offset=start + number * self.nbytes)
        if len(samples) < count:
            raise DataError("the file is cut off there")
        return samples.reshape(self.shape)


@dataclass(frozen=True)
class PixelElement:
    """The data element of a file's pixels: its keyword, value representation, and length in bytes."""

    keyword: str
    vr: str | None
    length: int


def pixel_element(file: BinaryIO, syntax: Any) -> PixelElement | None:
    """The element that a file stands at, and goes on to its value; None if it does not hold pixels."""
    head = file.read(8)
    order = "<" if syntax.is_little_endian else ">"
    keyword = _KEYWORDS.get(struct.unpack(f"{order}HH", head[:4])) if len(head) == 8 else None
    if keyword is None:
        return None
    if syntax.is_implicit_VR:
        return PixelElement(keyword, None, struct.unpack(f"{order}L", head[4:])[0])
    # Pixels have one of the representations whose length is of four bytes.
    size = file.read(4)
    if len(size) < 4:
        return None
    return PixelElement(keyword, head[4:6].decode("latin-1"), struct.unpack(f"{order}L", size)[0])


def read_table(path: Path, file: BinaryIO, dataset: Any, element: PixelElement, stated: int) -> FrameTable:
    """The table of a file; no pixels are read.

    Args:
        path: the file.
        file: it, at the beginning of the value of its pixels.
        dataset: its data elements before that.
        element: the pixels' element.
        stated: how many frames it says that it has.

    Raises:
        DataError: the pixels do not lie as the header says; the message does not name the file.
    """
    from pydicom.pixels.utils import as_pixel_options

    syntax = dataset.file_meta.TransferSyntaxUID
    pieces: list[Pieces] | None = None
    try:
        options = as_pixel_options(dataset, transfer_syntax_uid=syntax)
        options |= {"pixel_keyword": element.keyword, "pixel_vr": element.vr}
        # Those of the whole file; each frame is decoded as one of its own.
        for name in ("number_of_frames", "extended_offsets"):
            options.pop(name, None)
        plain = Plain.of(options, syntax)
        start, end = file.tell(), file.seek(0, 2)
        if syntax.is_encapsulated:
            file.seek(start)
            pieces = _encapsulated(file, dataset, stated)
            held = len(pieces)
        else:
            given = end - start if element.length == _UNDEFINED else element.length
            held = min(given, end - start)
            held = held // plain.nbytes if plain else _native(dataset, held, stated)
    except (ValueError, TypeError, AttributeError, KeyError, ZeroDivisionError, struct.error) as error:
        raise DataError(f"has damaged pixel data: {' '.join(str(error).split())}") from error
    if held < 1:
        raise DataError("is cut off within its first frame")
    frames = min(stated, held)
    return FrameTable(path, frames, stated - frames, held - frames, start, pieces, options, plain)


def _native(dataset: Any, held: int, stated: int) -> int:
    """How many frames so many bytes hold."""
    from pydicom.pixels.utils import get_expected_length

    dataset.NumberOfFrames = stated
    whole = get_expected_length(dataset)
    color = str(dataset.get("PhotometricInterpretation", ""))
    if color == "YBR_FULL_422" and held >= whole // 2 * 3:
        raise ValueError(
            f"it has {held} bytes where YBR_FULL_422 takes {whole}: its photometric interpretation is "
            "another, such as YBR_FULL or RGB"
        )
    return held * stated // whole


def _encapsulated(file: BinaryIO, dataset: Any, stated: int) -> list[Pieces]:
    """The pieces of each frame (PS3.5, A.4)."""
    from pydicom.encaps import parse_basic_offsets

    offsets: Sequence[int] = parse_basic_offsets(file)
    first = file.tell()
    table = dataset.get("ExtendedOffsetTable")
    if table:
        offsets = struct.unpack(f"<{len(table) // 8}Q", table[: len(table) // 8 * 8])
    pieces = _all_pieces(file)
    if not pieces:
        return []
    if str(dataset.file_meta.TransferSyntaxUID) != "1.2.840.10008.1.2.5":
        # A frame may lie in several pieces, but for run lengths.
        starts = _starts_by_offsets(pieces, offsets, first) or _starts_by_ends(file, pieces, stated)
    else:
        starts = list(range(len(pieces)))
    return [pieces[a:b] for a, b in zip(starts, [*starts[1:], len(pieces)], strict=True)]


def _all_pieces(file: BinaryIO) -> Pieces:
    """All pieces up to the delimiter, the end of the file or damage."""
    pieces = []
    while len(head := file.read(8)) == 8:
        group, element, length = struct.unpack("<HHL", head)
        if (group, element) != _ITEM or length == _UNDEFINED:
            break
        pieces.append((file.tell(), length))
        file.seek(length, 1)
    return pieces


def _starts_by_offsets(pieces: Pieces, offsets: Sequence[int], first: int) -> list[int]:
    """The piece that each frame begins with; empty where the offsets do not fit the pieces."""
    number = {place - 8 - first: i for i, (place, _) in enumerate(pieces)}
    # Of a file that is cut off, later ones lie beyond its end.
    inside = [offset for offset in offsets if offset <= max(number)]
    starts = [number.get(offset, -1) for offset in inside]
    fit = starts[:1] == [0] and all(a < b for a, b in pairwise(starts))
    return starts if fit else []


def _starts_by_ends(file: BinaryIO, pieces: Pieces, stated: int) -> list[int]:
    """The same without offsets: a piece each, or up to the mark that ends a JPEG image."""
    if len(pieces) <= stated and stated > 1:
        return list(range(len(pieces)))
    starts = [0]
    for i, (place, length) in enumerate(pieces[:-1]):
        file.seek(place + max(length - 10, 0))
        if b"\xff\xd9" in file.read(min(length, 10)):
            starts.append(i + 1)
    return starts


def _read(file: BinaryIO, place: int, length: int) -> bytes:
    file.seek(place)
    data = file.read(length)
    if len(data) < length:
        raise DataError("the file is cut off there")
    return data


def _alone(data: bytes) -> bytes:
    """A frame's bytes as the encapsulated pixels of a file of its own, with an empty offset table."""
    data += bytes(len(data) % 2)
    return struct.pack("<HHLHHL", *_ITEM, 0, *_ITEM, len(data)) + data
