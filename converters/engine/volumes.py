"""Volumes and sequences to arrays, slowest axis first: (z, y, x) or (frame, H, W), as stored.

No reader here applies an orientation; a data set file states how its slices are turned.
"""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import CaseError
from .read import array
from .types import Array

MET = {
    "MET_UCHAR": "u1",
    "MET_CHAR": "i1",
    "MET_USHORT": "u2",
    "MET_SHORT": "i2",
    "MET_UINT": "u4",
    "MET_INT": "i4",
    "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}
NRRD = {
    "unsigned char": "u1",
    "uchar": "u1",
    "uint8": "u1",
    "signed char": "i1",
    "int8": "i1",
    "short": "i2",
    "int16": "i2",
    "unsigned short": "u2",
    "ushort": "u2",
    "uint16": "u2",
    "int": "i4",
    "int32": "i4",
    "uint32": "u4",
    "float": "f4",
    "double": "f8",
}


def volume(path: Path) -> Array:
    """Read NIfTI, MHA/MHD, NRRD, DICOM or npy by the name's ending."""
    name = path.name.lower()
    try:
        if name.endswith((".nii", ".nii.gz")):
            return _nifti(path)
        if name.endswith((".mha", ".mhd")):
            return _meta_image(path)
        if name.endswith(".nrrd"):
            return _nrrd(path)
        if name.endswith(".dcm"):
            return _dicom(path)
        if name.endswith(".npy"):
            return array(path)
    except CaseError:
        raise
    except Exception as error:  # each library has its own; all mean that this file cannot be read
        raise CaseError(path, f"unreadable volume: {str(error) or type(error).__name__}") from error
    raise CaseError(path, "unknown kind of volume")


def labels(path: Path, size: tuple[int, ...]) -> NDArray[np.int64]:
    """Read a label volume of a known shape; values must be whole numbers."""
    found = volume(path)
    if found.shape != size:
        raise CaseError(path, f"labels of shape {found.shape}, images of {size}")
    whole = np.rint(found)
    if found.dtype.kind == "f" and np.abs(found - whole).max(initial=0) > 1e-3:
        raise CaseError(path, "labels are no whole numbers")
    return whole.astype(np.int64)


def to_uint8(values: Array) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
    """Gray values as uint8: unchanged if they fit, scaled as a whole (and noted) if they don't."""
    low, high = float(values.min(initial=0)), float(values.max(initial=0))
    if not np.isfinite([low, high]).all():
        raise ValueError("gray values are not finite")
    if values.dtype == np.uint8:
        return values, ()
    if low >= 0 and high <= 255:
        return np.rint(values).astype(np.uint8), ()
    scaled = (np.asarray(values, np.float64) - low) * (255.0 / (high - low))
    return np.rint(scaled).astype(np.uint8), (f"gray values {low:g} to {high:g} scaled to 0 to 255",)


def _nifti(path: Path) -> Array:
    import nibabel

    loaded: Any = nibabel.load(path)
    return np.asarray(loaded.dataobj).T


def _meta_image(path: Path) -> Array:
    data = path.read_bytes()
    header: dict[str, str] = {}
    start = 0
    while "ElementDataFile" not in header:
        end = data.index(b"\n", start)
        key, _, value = data[start:end].decode("latin-1").partition("=")
        header[key.strip()] = value.strip()
        start = end + 1
    where = header["ElementDataFile"]
    body = data[start:] if where == "LOCAL" else (path.parent / where).read_bytes()
    if header.get("CompressedData", "False").lower() == "true":
        body = zlib.decompress(body)
    big = header.get("BinaryDataByteOrderMSB", header.get("ElementByteOrderMSB", "False")).lower() == "true"
    channels = int(header.get("ElementNumberOfChannels", "1"))
    shape = [int(v) for v in header["DimSize"].split()][::-1] + [channels] * (channels > 1)
    return _shaped(body, (">" if big else "<") + MET[header["ElementType"]], shape)


def _nrrd(path: Path) -> Array:
    data = path.read_bytes()
    head, _, body = data.partition(b"\n\n")
    pairs = (line.partition(":") for line in head.decode("latin-1").splitlines() if ":" in line)
    header = {key.strip().lower(): value.lstrip("= ").strip() for key, _, value in pairs}
    if "data file" in header:
        body = (path.parent / header["data file"]).read_bytes()
    encoding = header.get("encoding", "raw").lower()
    if encoding in ("gzip", "gz"):
        body = gzip.decompress(body)
    elif encoding != "raw":
        raise ValueError(f"encoding {encoding}")
    order = ">" if header.get("endian", "little") == "big" else "<"
    return _shaped(body, order + NRRD[header["type"]], [int(v) for v in header["sizes"].split()][::-1])


def _shaped(body: bytes, dtype: str, shape: list[int]) -> Array:
    expected = int(np.prod(shape)) * np.dtype(dtype).itemsize
    if len(body) < expected:
        raise ValueError(f"truncated: {len(body)} of {expected} bytes")
    found = np.frombuffer(body[:expected], dtype).reshape(shape)
    return found.astype(found.dtype.newbyteorder("="))


def _dicom(path: Path) -> Array:
    import pydicom

    return np.asarray(pydicom.dcmread(path).pixel_array)
