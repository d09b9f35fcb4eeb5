"""What a DICOM file says before its pixels, read once; deflated files are inflated on disk."""

from __future__ import annotations

import contextlib
import io
import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from ultrasam.errors import DataError
from ultrasam.predict.files.calibration import get, numbers

#: The most bytes that a deflated file may inflate to.
_MAX_INFLATED = 2**30
#: How the first data element of a file without preamble begins: a tag of group 2 or 8.
_FIRST_TAGS = (b"\x02\x00\x00\x00", b"\x08\x00", b"\x00\x08\x00")
#: The group of what a file holds: its class, its time.
_IDENTIFYING = 0x0008


@dataclass(frozen=True)
class Opened:
    """A file whose header is read.

    Attributes:
        dataset: all that lies before the pixels, with ``file_meta``.
        file: it stands where the pixels' element begins.
        held: the file that holds the pixels: the one asked for, or what it inflates to.
        folder: of the latter, which is there as long as this is; None otherwise.
    """

    dataset: Any
    file: BinaryIO
    held: Path
    folder: Any = None


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Opened]:
    """A file, with or without preamble, open and read up to its pixels.

    Raises:
        ValueError: it is no readable DICOM.
        OSError: it can't be read.
    """
    with contextlib.ExitStack() as stack:
        file: BinaryIO = stack.enter_context(_Sized(io.FileIO(path)))
        held, folder = path, None
        try:
            dataset = _dataset(file)
        except _DeflatedError:
            folder = _inflated(path)
            held = Path(folder.name) / "inflated.dcm"
            file = stack.enter_context(held.open("rb"))
            dataset = _dataset(file)
        yield Opened(dataset, file, held, folder)


def read_header(path: Path) -> Any:
    """A file's data elements before its pixels, None for one that is not readable DICOM."""
    if not is_dicom(path):
        return None
    try:
        with opened(path) as found:
            return found.dataset
    except (OSError, ValueError):
        return None


def is_dicom(path: Path) -> bool:
    """Whether a file carries DICOM's mark, or, without it, begins as its oldest files do."""
    try:
        with path.open("rb") as file:
            start = file.read(132)
    except OSError:
        return False
    return start[128:] == b"DICM" or (len(start) == 132 and start.startswith(_FIRST_TAGS))


def whole_number(path: Path, dataset: Any, name: str, default: int | None = None) -> int:
    """A number above 0; the default where it is absent, empty or 0.

    Raises:
        DataError: it is anything else.
    """
    found = numbers(get(dataset, name), 1)
    if found is not None and found[0] >= 1 and found[0] == int(found[0]):
        return int(found[0])
    raw = dataset.get_item(name).value if name in dataset else None
    if default is not None and (not raw or found == (0.0,)):
        return default
    shown = raw.decode("latin-1").strip() if isinstance(raw, bytes) and found is None else found
    raise DataError(
        f"{path} has a damaged header: {name} is {shown[0] if isinstance(shown, tuple) else shown!r}, "
        "it must be a whole number above 0"
    )


def reason(error: Exception) -> str:
    """An error of pydicom's in one line that does not end where a list would begin."""
    text = " ".join(str(error).split())
    if len(text) > 300:
        return text[:300].rsplit(" ", 1)[0] + " ..."
    return text.rstrip(":") or type(error).__name__


class _DeflatedError(Exception):
    """A file is deflated."""


class _Sized(io.BufferedReader):
    """A file that gives no more bytes at once than are asked for.

    pydicom asks for all the rest where a file is deflated, and would inflate it in memory, whatever its size.
    """

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size < 0:
            raise _DeflatedError
        return super().read(size)


def _dataset(file: BinaryIO) -> Any:
    """All that lies before the pixels; the file stands where they begin."""
    import pydicom
    from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

    try:
        dataset = pydicom.dcmread(file, force=True, stop_before_pixels=True)
        # Any bytes can be parsed.
        if not any(tag >> 16 == _IDENTIFYING for tag in dataset.keys()):  # noqa: SIM118 - elements are parsed
            raise ValueError("it holds no data elements of DICOM's")
        if "TransferSyntaxUID" not in dataset.file_meta:
            implicit, little = dataset.original_encoding
            explicit = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
            dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else explicit
    except (OSError, _DeflatedError):
        raise
    # pydicom lets out whatever goes wrong while it parses damaged bytes.
    except Exception as error:
        raise ValueError(reason(error)) from error
    return dataset


def _inflated(path: Path) -> Any:
    """A temporary folder with a deflated file as it was before that."""
    from pydicom.filebase import DicomBytesIO
    from pydicom.filereader import read_file_meta_info
    from pydicom.filewriter import write_file_meta_info
    from pydicom.uid import ExplicitVRLittleEndian

    try:
        meta = read_file_meta_info(path)
        # The data set follows the group length's element, which ends at byte 144, and what it counts.
        begin = 144 + int(meta.FileMetaInformationGroupLength)
    except OSError:
        raise
    except Exception as error:  # as in `_dataset`
        raise ValueError(reason(error)) from error
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
