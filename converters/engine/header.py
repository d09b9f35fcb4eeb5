"""What image files say of themselves, checked before anything is decoded."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    Jpeg2KImagePlugin,
    JpegImagePlugin,
    PpmImagePlugin,
)

#: Pixels of the largest image that is decoded, Pillow's own limit; what is larger is a mistake or an attack.
MAX_PIXELS = 178_956_970

#: Pillow reads the size from the headers of these. Its classes are called directly, since `Image.open` warns
#: of images that are allowed here.
_BY_PILLOW: dict[bytes, type[ImageFile.ImageFile]] = {
    b"\xff\xd8": JpegImagePlugin.JpegImageFile,
    b"GIF8": GifImagePlugin.GifImageFile,
    b"BM": BmpImagePlugin.BmpImageFile,
    b"\x00\x00\x00\x0cjP  ": Jpeg2KImagePlugin.Jpeg2KImageFile,
    b"\xff\x4f\xff\x51": Jpeg2KImagePlugin.Jpeg2KImageFile,
    **{b"P%d" % n: PpmImagePlugin.PpmImageFile for n in range(1, 7)},
    b"Pf": PpmImagePlugin.PpmImageFile,
}
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
#: TIFF tags, which EXIF has too.
_SUBFILE, _WIDTH, _HEIGHT, _ORIENTATION = 254, 256, 257, 274
#: What Pillow and struct raise for damaged headers.
DAMAGED = (SyntaxError, ValueError, OverflowError, EOFError, LookupError, struct.error, MemoryError)
#: More pages than any stack has: a list of pages this long is damaged.
_MAX_PAGES = 65536


class PictureError(ValueError):
    """An image file cannot be read; the message is the reason without the file's name."""


@dataclass(frozen=True)
class Header:
    """What an image file says of itself.

    Attributes:
        kind: ``png``, ``webp``, ``tiff``, ``gif`` or ``other``.
        stored: (H, W) of its first picture as stored.
        orientation: EXIF's, 1 to 8: how the stored picture has to be turned to stand upright.
        pages: of a TIFF stack, the places of its full pictures in the file; of an animation, of its frames.
        whole: the file goes on to the end that its header promises.
    """

    kind: str
    stored: tuple[int, int]
    orientation: int = 1
    pages: tuple[int, ...] = (0,)
    whole: bool = True

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) of the upright picture."""
        return self.stored if self.orientation < 5 else (self.stored[1], self.stored[0])


def read_header(file: BinaryIO) -> Header:
    """The header of an image file, which is not decoded.

    Raises:
        PictureError: it is damaged, of an unknown kind, or says that the picture has more than `MAX_PIXELS`.
    """
    start = file.read(16)
    if not start:
        raise PictureError("the file is empty")
    file.seek(0)
    try:
        header = _header(file, start)
    except PictureError:
        raise
    except Image.DecompressionBombError as error:
        raise PictureError(str(error)) from error
    except DAMAGED as error:
        raise PictureError("its header is damaged") from error
    except OSError as error:
        if error.errno is not None:
            raise
        # Pillow's, for a header that breaks off.
        raise PictureError("its header is cut off") from error
    check_size(*header.stored)
    return header


def check_size(height: int, width: int) -> None:
    """Refuse a picture for what its header says.

    Raises:
        PictureError: it has no pixels, or more than `MAX_PIXELS`.
    """
    if height <= 0 or width <= 0:
        raise PictureError("its header is damaged: the picture has no pixels")
    if height * width > MAX_PIXELS:
        raise PictureError(
            f"its header says {width} x {height} pixels, more than the {MAX_PIXELS:,} that are read: "
            "cut it into tiles or make it smaller first"
        )


def other_size(header: Header, found: tuple[int, int], stated: tuple[int, int]) -> str:
    """How the upright picture differs from the size that its COCO file states, empty where it does not.

    Args:
        header: of the picture.
        found: (H, W) of the upright picture.
        stated: (H, W) in the COCO file.
    """
    if found == stated:
        return ""
    text = f"is {found[1]} x {found[0]} pixels, its COCO file says {stated[1]} x {stated[0]}"
    if header.orientation >= 5 and header.stored == stated:
        text += (
            f", as the picture is stored: its EXIF orientation ({header.orientation}) turns it by a quarter. "
            "It was annotated in a tool that does not obey EXIF: write the picture again without the tag"
        )
    return text


def _header(file: BinaryIO, start: bytes) -> Header:
    if start.startswith(b"\x89PNG\r\n\x1a\n"):
        return _png(file)
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return _webp(file)
    if start.startswith(_TIFF):
        return _tiff(file)
    for mark, opened_by in _BY_PILLOW.items():
        if start.startswith(mark):
            with opened_by(file) as opened:
                return _pillow(file, opened)
    raise PictureError("empty, damaged or of an unknown kind")


def _pillow(file: BinaryIO, opened: ImageFile.ImageFile) -> Header:
    size = opened.size[1], opened.size[0]
    if isinstance(opened, JpegImagePlugin.JpegImageFile):
        # The decoder fills what is missing with gray and says nothing.
        whole = b"\xff\xd9" in _tail(file)
        return Header("other", size, _orientation(opened.info.get("exif", b"")), whole=whole)
    if isinstance(opened, GifImagePlugin.GifImageFile):
        try:
            return Header("gif", size, pages=tuple(range(opened.n_frames)), whole=b";" in _tail(file, 16))
        except (*DAMAGED, OSError, Image.DecompressionBombError):
            return Header("gif", size, whole=False)
    return Header("other", size)


def _png(file: BinaryIO) -> Header:
    size, frames, exif, kind = (0, 0), 1, b"", b""
    for kind, length in _chunks(file, 8, ">I4s", padding=4):
        if kind == b"IHDR":
            width, height = struct.unpack(">II", file.read(8))
            size = height, width
        elif kind == b"acTL":
            (frames,) = struct.unpack(">I", file.read(4))
        elif kind == b"eXIf":
            exif = file.read(length)
        elif kind == b"IEND":
            break
    pages = tuple(range(max(1, min(frames, _MAX_PAGES))))
    return Header("png", size, _orientation(exif), pages, whole=kind == b"IEND")


def _webp(file: BinaryIO) -> Header:
    size, frames, exif = (0, 0), 0, b""
    file.seek(4)
    end = struct.unpack("<I", file.read(4))[0] + 8
    for kind, length in _chunks(file, 12, "<4sI", padding=0):
        head = file.read(min(length, 16))
        if kind == b"VP8X":
            size = int.from_bytes(head[7:10], "little") + 1, int.from_bytes(head[4:7], "little") + 1
        elif kind == b"VP8 " and size == (0, 0):
            width, height = struct.unpack("<HH", head[6:10])
            size = height & 0x3FFF, width & 0x3FFF
        elif kind == b"VP8L" and size == (0, 0):
            bits = int.from_bytes(head[1:5], "little")
            size = (bits >> 14 & 0x3FFF) + 1, (bits & 0x3FFF) + 1
        elif kind == b"EXIF":
            exif = head + file.read(length - len(head))
        frames += kind == b"ANMF"
    whole = file.seek(0, io.SEEK_END) >= end
    return Header("webp", size, _orientation(exif), tuple(range(max(frames, 1))), whole)


def _chunks(file: BinaryIO, start: int, form: str, padding: int) -> Iterator[tuple[bytes, int]]:
    """Kind and length of each chunk; its content may be read when it is given."""
    while True:
        file.seek(start)
        head = file.read(8)
        if len(head) < 8:
            return
        first, second = struct.unpack(form, head)
        kind, length = (first, second) if isinstance(first, bytes) else (second, first)
        yield kind, length
        start += 8 + length + padding
        if form[0] == "<":  # RIFF: chunks begin at even places
            start += length % 2


def _tiff(file: BinaryIO) -> Header:
    pages: list[int] = []
    sizes: list[tuple[int, int]] = []
    orientation, whole = 1, True
    try:
        for number, tags in enumerate(_directories(file)):
            # Bits of NewSubfileType: a smaller copy of another page, a transparency mask.
            if tags.get(_SUBFILE, 0) & 0b101:
                continue
            orientation = orientation if pages else tags.get(_ORIENTATION, 1)
            pages.append(number)
            sizes.append((tags.get(_HEIGHT, 0), tags.get(_WIDTH, 0)))
    except PictureError:
        if not pages:
            raise
        whole = False
    for size in sizes:
        check_size(*size)
    known = orientation if 1 <= orientation <= 8 else 1
    if not pages:
        raise PictureError("it has no page")
    return Header("tiff", sizes[0], known, tuple(pages), whole)


def _directories(file: BinaryIO) -> Iterator[dict[int, int]]:
    """The tags with a number each of a TIFF file's directories, one after the other (TIFF 6.0, section 2)."""
    start = file.read(16)
    order = "<" if start[:2] == b"II" else ">"
    big = b"+" in start[2:4]
    place = struct.unpack(order + ("Q" if big else "I"), start[8:16] if big else start[4:8])[0]
    seen: set[int] = set()
    while place:
        if place in seen or len(seen) == _MAX_PAGES:
            raise PictureError("the list of its pages is damaged")
        seen.add(place)
        try:
            file.seek(place)
            count = struct.unpack(order + ("Q" if big else "H"), file.read(8 if big else 2))[0]
            width = 20 if big else 12
            if count > 4096:
                raise PictureError("the list of its pages is damaged")
            entries = file.read(count * width)
            following = file.read(8 if big else 4)
            place = struct.unpack(order + ("Q" if big else "I"), following)[0]
            yield dict(_numbers(entries, width, order))
        except (struct.error, OverflowError, OSError) as error:
            raise PictureError("the list of its pages breaks off") from error


def _numbers(entries: bytes, width: int, order: str) -> Iterator[tuple[int, int]]:
    forms = {1: "B", 3: "H", 4: "I", 16: "Q"}
    for at in range(0, len(entries) - width + 1, width):
        tag, kind = struct.unpack(order + "HH", entries[at : at + 4])
        if kind in forms:
            value = entries[at + (12 if width == 20 else 8) : at + width]
            size = struct.calcsize(forms[kind])
            if size <= len(value):
                yield tag, struct.unpack(order + forms[kind], value[:size])[0]


def _orientation(exif: bytes) -> int:
    """Of an EXIF block, which is a small TIFF file; 1 where it is damaged or does not say."""
    try:
        tags = next(_directories(io.BytesIO(exif.removeprefix(b"Exif\0\0"))), {})
    except (PictureError, struct.error):
        return 1
    found = tags.get(_ORIENTATION, 1)
    return found if 1 <= found <= 8 else 1


def _tail(file: BinaryIO, size: int = 4096) -> bytes:
    end = file.seek(0, io.SEEK_END)
    file.seek(max(0, end - size))
    return file.read()
