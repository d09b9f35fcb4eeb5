"""Image files to arrays. Every function raises `CaseError` with the file's name for what it cannot read."""

from __future__ import annotations

import csv
import io
import json
import pickle  # noqa: TID251  for an unpickler that knows the makers of plain arrays alone
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from . import picture
from .errors import CaseError
from .header import PictureError
from .plain_arrays import MAKERS
from .types import Array

#: Reading a video goes on after a damaged frame, up to so many one after the other.
PATIENCE = 64


def image(path: Path) -> NDArray[np.uint8]:
    """Read a still as (H, W) or (H, W, 3) RGB uint8; alpha is dropped, not composited."""
    array = _decode(path)
    if array.ndim == 3 and array.shape[2] == 4:
        array = array[..., :3]
    if array.ndim == 3 and array.shape[2] == 3:
        array = cv2.cvtColor(np.ascontiguousarray(array), cv2.COLOR_BGR2RGB)
    if array.dtype != np.uint8:
        raise CaseError(path, f"{array.dtype} pixels, expected 8 bit")
    return array


def gray(path: Path) -> NDArray[np.uint8]:
    """Read a still or a mask as (H, W) uint8; 1-bit files give 0 and 255."""
    array = image(path)
    if array.ndim == 2:
        return array
    if np.array_equal(array[..., 0], array[..., 1]) and np.array_equal(array[..., 0], array[..., 2]):
        return np.ascontiguousarray(array[..., 0])
    return np.asarray(cv2.cvtColor(array, cv2.COLOR_RGB2GRAY), np.uint8)


def indices(path: Path) -> NDArray[np.uint8]:
    """Read a mask of class numbers as stored: a palette is not looked up."""
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with Image.open(path) as opened:
            if opened.mode == "P":
                return np.array(ImageOps.exif_transpose(opened), np.uint8)
    except (OSError, UnidentifiedImageError, SyntaxError, ValueError) as error:
        raise CaseError(path, f"unreadable: {error}") from error
    return gray(path)


def _decode(path: Path) -> Array:
    try:
        return picture.decode(path)[1]
    except PictureError as error:
        raise CaseError(path, f"no readable image: {error}") from error
    except OSError as error:
        raise CaseError(path, error.strerror or str(error)) from error


def frames(path: Path, wanted: Iterable[int] | None = None) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Decode a video once, in order, and give the wanted frames (all without `wanted`) as RGB.

    Frames are numbered from 0, damaged ones too. A wanted frame that is damaged or beyond the end is simply
    not given; callers compare.

    Raises:
        CaseError: The file is no video, or, without `wanted`, frames before others are damaged.
    """
    if not path.is_file():
        raise CaseError(path, "no such video")
    reader = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    left = None if wanted is None else set(wanted)
    try:
        if not reader.isOpened():
            raise CaseError(path, "no readable video")
        number, failed = -1, 0
        # At the end reading fails for good; a damaged frame may be followed by others.
        while (left is None or left) and failed < PATIENCE:
            asked = left is None or number + failed + 1 in left
            good, frame = reader.read() if asked else (reader.grab(), None)
            if not good:
                failed += 1
                continue
            if left is None and failed:
                raise CaseError(path, f"{failed} frames after frame {number} are damaged")
            number, failed = number + failed + 1, 0
            if frame is None:
                continue
            if left is not None:
                left.discard(number)
            yield number, np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), np.uint8)
    finally:
        reader.release()


def array(path: Path) -> Array:
    """Read a .npy file; pickled objects are refused."""
    try:
        return np.asarray(np.load(path, allow_pickle=False))  # noqa: TID251  arrays alone
    except (OSError, ValueError, EOFError) as error:
        raise CaseError(path, f"unreadable array: {error}") from error


def variables(path: Path) -> dict[str, Array]:
    """Read the named arrays of a .npz or .mat file (MATLAB's older format, and 7.3, which is HDF5).

    Arrays of a 7.3 file are transposed to the order of MATLAB's indices.
    """
    try:
        if path.suffix.lower() == ".npz":
            with np.load(path, allow_pickle=False) as file:  # noqa: TID251  arrays alone
                return {name: file[name] for name in file.files}
        with path.open("rb") as opened:
            newest = opened.read(19) == b"MATLAB 7.3 MAT-file"
        if newest:
            import h5py

            with h5py.File(path, "r") as file:
                return {name: np.asarray(file[name]).T for name in file if hasattr(file[name], "shape")}
        from scipy.io import loadmat

        return {name: value for name, value in loadmat(path).items() if not name.startswith("__")}
    except Exception as error:  # each library has its own; all mean that this file cannot be read
        raise CaseError(path, f"unreadable arrays: {str(error) or type(error).__name__}") from error


class _NumpyOnly(pickle.Unpickler):
    """Unpickles arrays and plain values and nothing that could run."""

    def find_class(self, module: str, name: str) -> Any:
        """Refuse every global but those of arrays, for which our own makers are called."""
        if (module, name) not in MAKERS:
            raise pickle.UnpicklingError(f"refused to load {module}.{name}")
        return MAKERS[module, name]


def pickled_dict(path: Path) -> dict[str, Any]:
    """Read a dict that was saved with `np.save`, through an unpickler that knows only arrays."""
    try:
        with path.open("rb") as file:
            version = np.lib.format.read_magic(file)
            read = np.lib.format.read_array_header_1_0
            if version != (1, 0):
                read = np.lib.format.read_array_header_2_0
            shape, _, dtype = read(file)
            if shape != () or not dtype.hasobject:
                raise ValueError(f"expected one pickled object, found {dtype} {shape}")
            value = _NumpyOnly(file).load()
    except (OSError, ValueError, EOFError, pickle.UnpicklingError) as error:
        raise CaseError(path, f"unreadable array: {error}") from error
    value = value.item() if isinstance(value, np.ndarray) else value
    if not isinstance(value, dict):
        raise CaseError(path, f"expected a dict, found {type(value).__name__}")
    return value


def text(path: Path) -> str:
    """Read text that is UTF-8 with or without a mark, or GBK, or anything with damaged characters."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise CaseError(path, error.strerror or str(error)) from error
    for encoding in ("utf-8-sig", "gbk"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    return data.decode("utf-8", errors="ignore")


def json_file(path: Path) -> Any:
    """Read JSON in any of the encodings of `text`."""
    try:
        return json.loads(text(path))
    except ValueError as error:
        raise CaseError(path, f"no valid JSON: {error}") from error


def table(path: Path, columns: Iterable[str] = (), *, delimiter: str = ",") -> list[Mapping[str, str]]:
    """Read a csv with a header; blanks around names and values go.

    Raises:
        CaseError: A column of `columns` is missing.
    """
    rows = list(csv.reader(io.StringIO(text(path)), delimiter=delimiter))
    if not rows:
        raise CaseError(path, "empty table")
    names = [name.strip() for name in rows[0]]
    missing = [name for name in columns if name not in names]
    if missing:
        raise CaseError(path, f"no column {', '.join(missing)} (found: {', '.join(names)})")
    return [dict(zip(names, map(str.strip, row), strict=False)) for row in rows[1:] if any(row)]


def lines(path: Path) -> list[str]:
    """The non-blank lines of a text file, stripped."""
    return [line.strip() for line in text(path).splitlines() if line.strip()]
