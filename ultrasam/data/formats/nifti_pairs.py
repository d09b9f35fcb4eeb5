"""NIfTI label maps beside NIfTI images, slice by slice, or beside pictures; nnU-Net's folders are such pairs.

The first axis of a volume goes along the rows of a slice, the second down its columns, the third from slice
to slice, as this package writes them. ``classes.txt`` and ``objects.json`` say what they say for mask images;
without ``classes.txt``, nnU-Net's ``dataset.json`` names the classes.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ultrasam.converters.engine.coco import read_json
from ultrasam.converters.engine.errors import ConverterError
from ultrasam.data.formats import label_maps
from ultrasam.data.formats.label_records import Image, Labels, fields
from ultrasam.data.images import encode_image, read_header
from ultrasam.errors import DataError

ENDINGS = (".nii", ".nii.gz")
#: How nnU-Net names an image's only channel.
_CHANNEL = re.compile(r"_0000$")


def is_volume(file: str | Path) -> bool:
    """Whether a file's name says that it is NIfTI."""
    return str(file).lower().endswith(ENDINGS)


def is_mask(file: str) -> bool:
    """Whether the name or folder of a volume or picture says that it is a label map."""
    return label_maps.is_mask(f"{_bare(file)}.png")


def read(
    folder: Path, masks: Sequence[str], images: Path, pictures: Sequence[str], whole: bool = False
) -> Labels:
    """The label volumes below a folder.

    Args:
        folder: it.
        masks: the NIfTI files below it, relative to it, label maps and others.
        images: the folder of the images, the same or another.
        pictures: the NIfTI files and pictures below that, relative to it.
        whole: as `ultrasam.data.formats.label_maps.read`.

    Raises:
        DataError: a volume is damaged, has no image, or one of another shape.
    """
    labels = Labels()
    if images == folder:
        masks = [file for file in masks if is_mask(file)]
        pictures = [file for file in pictures if not is_mask(file)]
    of_stem = {label_maps.stem_of(_CHANNEL.sub("", _bare(file)), False): file for file in pictures}
    meanings = label_maps.Meanings.of(folder, whole)
    if not meanings.classes:
        meanings = replace(meanings, classes=_classes(folder))
    for file in masks:
        stem = label_maps.stem_of(_bare(file), True)
        if stem not in of_stem:
            raise DataError(f"{folder / file} has no image of its name below {images}")
        _add(labels, meanings, file, images / of_stem[stem], of_stem[stem])
    meanings.name(labels)
    return labels


def _classes(folder: Path) -> dict[int, str]:
    """Class number -> name, as nnU-Net's ``dataset.json`` says it; empty where there is none.

    Raises:
        DataError: it is damaged.
    """
    files = sorted(folder.rglob("dataset.json"))
    if not files:
        return {}
    try:
        said = fields(fields(read_json(files[0]), str(files[0])).get("labels"), f"{files[0]}: 'labels'")
    except ConverterError as error:
        raise DataError(str(error)) from error
    # Version 1 says number: name, version 2 name: number.
    pairs = [(int(k), v) if k.isdecimal() else (v, k) for k, v in said.items()]
    return {
        number: name
        for number, name in pairs
        if type(number) is int and number > 0 and isinstance(name, str) and name.strip()
    }


def _bare(file: str) -> str:
    """A file without ``.nii.gz`` or the like."""
    return re.sub(r"\.(nii\.gz|nii|[^./]+)$", "", file, flags=re.IGNORECASE)


def _add(labels: Labels, meanings: label_maps.Meanings, mask: str, source: Path, name: str) -> None:
    """Add an image for each slice, with its objects.

    Args:
        labels: get them.
        meanings: of the label map's values.
        mask: its file, relative to its folder.
        source: the image's file.
        name: the same, relative to the image folder.
    """
    path = meanings.folder / mask
    volume, about = _volume(path)
    if not np.array_equal(volume, np.round(volume)) or volume.min() < 0:
        raise DataError(f"{path} holds fractions or negative values; label maps hold whole numbers from 0 on")
    if not is_volume(name):
        if volume.shape[2] != 1:
            raise DataError(
                f"{path} has {volume.shape[2]} slices, and its image {source} is a single picture"
            )
        images = [Image(name, read_header(source).size, where=str(source), path=source)]
    else:
        images = _slices(source, volume.shape, path, _bare(name))
    for number, image in enumerate(images):
        image.extra |= about
        labels.images.append(image)
        values = np.ascontiguousarray(volume[..., number].T).astype(np.int64)
        meanings.add(labels, image, mask, values)


def _slices(source: Path, expected: tuple[int, ...], path: Path, stem: str) -> list[Image]:
    """The slices of an image volume, which become PNG files.

    Raises:
        DataError: it is not of the expected shape, its label map's.
    """
    shape = _gray(source).shape
    if shape != expected:
        raise DataError(
            f"{path} has {' x '.join(map(str, expected))} voxels, its image {' x '.join(map(str, shape))}"
        )
    found = []
    for number in range(shape[2]):
        name = f"{stem}/{number:04d}.png" if shape[2] > 1 else f"{stem}.png"
        image = Image(name, (shape[1], shape[0]), where=f"{source}, slice {number}")
        image.make = partial(_png, source, number)
        if shape[2] > 1:
            # Slices of a volume are one patient's.
            image.extra["subject"] = stem
        found.append(image)
    return found


def _png(path: Path, number: int) -> bytes:
    return encode_image(np.repeat(np.ascontiguousarray(_gray(path)[..., number].T)[..., None], 3, axis=2))


@lru_cache(maxsize=1)
def _gray(path: Path) -> NDArray[np.uint8]:
    """The image volume (W, H, N) in 8 bits.

    Raises:
        DataError: it holds other values.
    """
    volume, _ = _volume(path)
    low, high = volume.min(), volume.max()
    if low < 0 or high > 255 or not np.array_equal(volume, np.round(volume)):
        raise DataError(
            f"{path} holds values from {low:g} to {high:g}; which gray values to show is your choice: map "
            "them to whole numbers from 0 to 255 first"
        )
    return volume.astype(np.uint8)


def _volume(path: Path) -> tuple[NDArray[Any], dict[str, Any]]:
    """A volume (W, H, N), and its ``spacing`` in mm where that is known.

    Raises:
        DataError: it is damaged, or has time or colors.
    """
    import nibabel

    try:
        loaded: Any = nibabel.load(path)
        volume = np.asarray(loaded.dataobj)
    except (nibabel.filebasedimages.ImageFileError, OSError, EOFError, ValueError, zlib.error) as error:
        raise DataError(f"{path} is no readable NIfTI file: {error}") from error
    while volume.ndim > 3 and volume.shape[-1] == 1:
        volume = volume[..., 0]
    volume = volume[..., None] if volume.ndim == 2 else volume
    if volume.ndim != 3 or volume.dtype.kind not in "uif" or not volume.size:
        shape = " x ".join(map(str, volume.shape))
        raise DataError(f"{path} has the shape {shape} of {volume.dtype}; it takes gray volumes of slices")
    zooms, unit = loaded.header.get_zooms()[:2], loaded.header.get_xyzt_units()[0]
    return volume, {"spacing": [float(z) for z in zooms]} if unit == "mm" else {}
