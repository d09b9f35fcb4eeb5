"""What a file is, told by its first bytes and not by its name."""

from __future__ import annotations

import codecs
import json
import re
import zipfile
from enum import Enum
from pathlib import Path

from ultrasam.errors import CheckpointError


class Format(Enum):
    """The formats of weights that are read."""

    TORCH_ZIP = "PyTorch's zip archive"
    TORCH_LEGACY = "PyTorch's format before 1.6"
    SAFETENSORS = "safetensors"


_HEAD = 4096
#: What ``torch.save`` began its files with before 1.6: 0x1950a86a20f9469cfc6c, pickled.
_LEGACY = re.compile(
    rb"\x80.(\x95.{8})?\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19\.|L119547037146038801333356L?\n\.", re.DOTALL
)
_UNPACK = "unpack it first"
#: Beginnings of what people hand in instead, and what to do.
_OTHERS: tuple[tuple[bytes, str], ...] = (
    (rb"version https://git-lfs", "a Git LFS pointer and not the file itself; run 'git lfs pull'"),
    (
        rb"\s*<(!doctype|html|head|\?xml|!--)",
        "a web page (a login, a warning or an error) and no weights; download it again in a browser",
    ),
    (rb"\x89HDF\r\n\x1a\n", "an HDF5 file (of Keras or MATLAB); weights of PyTorch are needed"),
    (rb"\x1f\x8b", f"compressed (gzip); {_UNPACK}"),
    (rb"BZh[1-9]", f"compressed (bzip2); {_UNPACK}"),
    (rb"\xfd7zXZ\0", f"compressed (xz); {_UNPACK}"),
    (rb"\x28\xb5\x2f\xfd", f"compressed (zstd); {_UNPACK}"),
    (rb"7z\xbc\xaf\x27\x1c|Rar!", f"an archive; {_UNPACK}"),
    (rb".{257}ustar", f"a tar archive; {_UNPACK} (or, if it is PyTorch's format before 0.2, save it anew)"),
    (rb"\x89PNG|\xff\xd8\xff|GIF8|II\*\0|MM\0\*|BM.{4}\0\0\0\0|.{128}DICM", "an image and no weights"),
    (rb"%PDF", "a PDF and no weights"),
    (rb"GGUF", "a GGUF file (of llama.cpp); weights of PyTorch are needed"),
    (rb"\x93NUMPY", "an array of NumPy and no weights of PyTorch"),
    (rb"....TFL3", "a TensorFlow Lite model; the weights it was made from are needed"),
    # ir_version, then the producer's name or one of the fields after it.
    (
        rb"\x08[\x01-\x1f][\x12\x1a\x22\x28\x32\x3a\x42]",
        "an ONNX graph; the weights it was made from are needed",
    ),
    (
        rb"\x80[\x00-\x05]|\([dl]p0|[}\])]q\0|c\w+\n\w+\n",
        "pickled Python that PyTorch did not write; it was not opened, since it could run code. "
        "Save the tensors anew with torch.save or as safetensors",
    ),
)


def format_of(path: Path) -> Format:
    """The format of a weight file.

    Raises:
        CheckpointError: it is none; the message says what it is, as far as that shows.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror or error}") from error
    if not size:
        raise CheckpointError(f"{path} is empty (0 bytes): a download or copy that never came about")
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zip(path)
    if _LEGACY.match(head):
        return Format.TORCH_LEGACY
    header = int.from_bytes(head[:8], "little")
    if head[8:9] == b"{" and header <= max(size, 100 << 20):
        return Format.SAFETENSORS
    raise CheckpointError(f"{path} is {_other(head)}")


def _other(head: bytes) -> str:
    for pattern, what in _OTHERS:
        if re.match(pattern, head, re.DOTALL | re.IGNORECASE):
            return what
    if not head.strip(b"\0"):
        return "zeros: a download or copy that broke off"
    try:
        # The last character may be cut in two.
        text = codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        return "no weight file of a known format (damaged, or of another program)"
    if head.lstrip()[:1] in b"{[" and _is_json(text):
        return "JSON and no weights"
    return f"a text and no weights; it begins {' '.join(text.split())[:60]!r}"


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError as error:
        # The head of a longer text ends in the middle.
        return len(text) >= _HEAD - 4 and getattr(error, "pos", 0) > 100
    return True


def _zip(path: Path) -> Format:
    """A zip archive: PyTorch's own, intact, or what else it holds."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            names = [member.filename for member in members]
            tails = {name.rsplit("/", 1)[-1] for name in names}
            if "data.pkl" not in tails:
                raise CheckpointError(f"{path} is {_archive(names)}")
            if "constants.pkl" in tails or any("/code/" in name for name in names):
                raise CheckpointError(
                    f"{path} is a TorchScript program, which could run code; its plain weights are needed "
                    "(torch.save(model.state_dict(), ...))"
                )
            _check_members(archive, members, path)
    except (zipfile.BadZipFile, NotImplementedError, EOFError, ValueError, OSError, RuntimeError) as error:
        raise CheckpointError(
            f"{path} is not a readable weight file: its archive is cut off or damaged ({error})"
        ) from error
    return Format.TORCH_ZIP


def _check_members(archive: zipfile.ZipFile, members: list[zipfile.ZipInfo], path: Path) -> None:
    """Contents are as they were written (PyTorch does not compare the sums), and as large as the file."""
    if sum(member.file_size for member in members) > path.stat().st_size:
        raise CheckpointError(f"{path} is an archive that unpacks to more than it holds")
    for member in members:
        if member.compress_type != zipfile.ZIP_STORED or member.flag_bits & 1:
            raise CheckpointError(f"{path} is a compressed or encrypted archive; {_UNPACK}")
        if not member.CRC and member.file_size:
            # Without sums, as PyTorch writes after set_crc32_options(False).
            continue
        with archive.open(member) as content:
            while content.read(1 << 22):
                pass


def _archive(names: list[str]) -> str:
    if not names:
        return "an empty zip archive"
    shown = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
    if all(name.endswith(".npy") for name in names):
        return f"an archive of NumPy arrays ({shown}) and no weights of PyTorch"
    if any(name.endswith("model.weights.h5") for name in names):
        return "a Keras model; weights of PyTorch are needed"
    return f"a zip archive of {shown}, and no weight file of PyTorch; {_UNPACK}"
