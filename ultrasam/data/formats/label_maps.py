"""Folders of masks beside the images or among them: label maps, or a mask for each image or object.

``classes.txt`` names the classes of a label map, number 1 first; 0 is background. ``objects.json`` instead
says of maps in which each object has a number of its own which classes those have.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ultrasam.converters.engine import read as reading
from ultrasam.converters.engine.coco import read_json
from ultrasam.converters.engine.coco_parsed import shown
from ultrasam.converters.engine.errors import ConverterError
from ultrasam.converters.engine.instances import to_annotations
from ultrasam.converters.engine.names import match
from ultrasam.converters.engine.types import Frame, Instances, Object
from ultrasam.data.formats.label_records import OBJECT, Image, Labels, Shape, entries, fields, text
from ultrasam.data.images import read_header, read_samples
from ultrasam.errors import DataError

#: Names of folders that hold masks.
FOLDERS = frozenset(
    (
        *("mask", "masks", "label", "labels", "labelstr", "annotation", "annotations", "gt", "seg"),
        *("groundtruth", "ground_truth", "ground-truth", "segmentation", "segmentations"),
        *("segmentationclass", "segmentationobject"),
    )
)
_SUFFIX = re.compile(r"[ _-](masks?|seg|segmentation|labels?|gt|annotation)(?:[ _-]?\d+)?$", re.IGNORECASE)
#: Gray values of a mask that is no label map but a picture.
_MOST = 64
#: Value of pixels that count for nothing, as Pascal VOC has it.
_IGNORED = 255
CLASSES, OBJECTS = "classes.txt", "objects.json"


def is_mask(file: str) -> bool:
    """Whether a picture's name or folder says that it is a mask."""
    path = Path(file)
    return bool(_SUFFIX.search(path.stem)) or any(part.lower() in FOLDERS for part in path.parts[:-1])


def stem_of(file: str, mask: bool) -> str:
    """What a mask and its image have in common."""
    path = Path(file)
    stem = _SUFFIX.sub("", path.stem) if mask else path.stem
    folders = [
        part for part in path.parts[:-1] if part.lower() not in FOLDERS | {"image", "images", "imagestr"}
    ]
    return "/".join([*folders, stem])


def read(
    folder: Path, masks: Sequence[str], images: Path, pictures: Sequence[str], whole: bool = False
) -> Labels:
    """The masks below a folder.

    Args:
        folder: it.
        masks: the image files below it, relative to it, masks and others.
        images: the folder of the images, the same or another.
        pictures: the image files below that, relative to it.
        whole: all of one value in a mask is one object; else each connected part is.

    Raises:
        DataError: a mask is damaged or no mask, or has no image.
    """
    labels = Labels()
    if images == folder:
        pictures = [file for file in pictures if not is_mask(file)]
        masks = [file for file in masks if is_mask(file)]
    of_stem: dict[str, str] = {}
    for file in pictures:
        stem = stem_of(file, False)
        if of_stem.setdefault(stem, file) != file:
            raise DataError(f"{images}: {of_stem[stem]} and {file} can't be told apart by their masks")
    matched = match([stem_of(file, True) for file in masks], list(of_stem))
    found: dict[str, list[str]] = {}
    for file in masks:
        if stem_of(file, True) not in matched.found:
            raise DataError(f"{folder / file} has no image of its name below {images}")
        found.setdefault(matched.found[stem_of(file, True)], []).append(file)
    meanings = Meanings.of(folder, whole)
    for stem, file in of_stem.items():
        path = images / file
        image = Image(file, read_header(path).size, where=str(path), path=path)
        labels.images.append(image)
        for mask in found.get(stem, ()):
            meanings.add(labels, image, mask, _values(folder / mask))
    meanings.name(labels)
    return labels


@dataclass(frozen=True)
class Meanings:
    """What the values of the label maps below a folder mean.

    Attributes:
        folder: it.
        classes: class number -> name, as far as they have names.
        own: a map's file, relative to the folder -> the classes of its objects, of maps that number objects.
        whole: all of one value is one object; else each connected part is.
    """

    folder: Path
    classes: Mapping[int, str]
    own: Mapping[str, list[str]]
    whole: bool

    @classmethod
    def of(cls, folder: Path, whole: bool) -> Meanings:
        """As ``classes.txt`` and ``objects.json`` below the folder say.

        Raises:
            DataError: those are damaged.
        """
        return cls(folder, _classes(folder), _own_classes(folder), whole)

    def add(self, labels: Labels, image: Image, file: str, values: NDArray[Any]) -> None:
        """Add a map's objects to their image; `name` has to be called when all maps are in.

        Args:
            labels: count what is left out.
            image: gets the objects.
            file: the map's, relative to the folder.
            values: its values (H, W).

        Raises:
            DataError: it is of another size than its image, or has values that nothing explains.
        """
        _add(labels, image, self.folder / file, values, self.own.get(file), self.classes, self.whole)

    def name(self, labels: Labels) -> None:
        """Give the numbers of all objects their names.

        Raises:
            DataError: there are fewer names than numbers.
        """
        _name(labels, self.classes, self.folder)


def _add(
    labels: Labels,
    image: Image,
    path: Path,
    values: NDArray[Any],
    own: list[str] | None,
    classes: Mapping[int, str],
    whole: bool,
) -> None:
    if values.shape != image.size:
        height, width = image.size or (0, 0)
        raise DataError(
            f"{path} has {values.shape[1]} x {values.shape[0]} pixels, its image {width} x {height}"
        )
    present = [int(v) for v in np.unique(values) if v]
    if len(present) > 1 and _IGNORED in present and own is None and _IGNORED not in classes:
        present.remove(_IGNORED)
        labels.left_out[f"masks' regions of the value {_IGNORED}, which marks what is to be ignored"] += 1
    if own is not None and max(present, default=0) > len(own):
        raise DataError(f"{path} has the value {max(present)}; {OBJECTS} knows {len(own)} objects of it")
    rule = Instances(components=own is None and not whole, speck_area=0, border_strip=0)
    # A class number for now; `_name` knows more when all masks are read.
    objects = [Object(str(v), values == v) for v in present]
    frame = Frame(np.broadcast_to(np.uint8(0), values.shape), objects)
    annotations, _ = to_annotations(frame, {str(v) for v in present}, rule)
    for entry in annotations:
        label = entry["category"] if own is None else own[int(entry["category"]) - 1]
        image.shapes.append(Shape(label, rle=entry["segmentation"], extra={"named": own is not None}))


def _values(path: Path) -> NDArray[Any]:
    """A mask's values (H, W), as stored: a palette is not looked up.

    Raises:
        DataError: it is damaged, colored, or has too many values.
    """
    if _is_palette(path):
        try:
            return reading.indices(path)
        except ConverterError as error:
            raise DataError(str(error)) from error
    values = read_samples(path)
    if values.ndim == 3:
        if not (values[..., :1] == values[..., :3]).all():
            raise DataError(
                f"{path} is in color; masks are label maps in gray or with a palette, or black and white"
            )
        values = values[..., 0]
    if values.dtype.kind not in "ui":
        raise DataError(f"{path} holds fractions; label maps hold whole numbers")
    if path.suffix.lower() in (".jpg", ".jpeg"):
        # What JPEG does to the edges of a mask.
        return np.where(values >= 128, np.uint8(255), np.uint8(0))
    found = len(np.unique(values))
    if found > _MOST and values.dtype == np.uint8:
        raise DataError(f"{path} has {found} different values: it is a picture and no label map")
    return values


def _is_palette(path: Path) -> bool:
    """Whether a PNG's header says that its pixels are places in a palette."""
    with path.open("rb") as file:
        start = file.read(26)
    return start[:4] == b"\x89PNG" and start[25:] == b"\x03"


def _classes(folder: Path) -> dict[int, str]:
    files = sorted(folder.rglob(CLASSES))
    if not files:
        return {}
    try:
        names = files[0].read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{files[0]} is no text file: {error}") from error
    return {number: name.strip() for number, name in enumerate(names, start=1) if name.strip()}


def _own_classes(folder: Path) -> dict[str, list[str]]:
    """A map's file, relative to the folder -> the classes of its objects."""
    files = sorted(folder.rglob(OBJECTS))
    if not files:
        return {}
    try:
        content = fields(read_json(files[0]), str(files[0]))
    except ConverterError as error:
        raise DataError(str(error)) from error
    found = {}
    for name, names in content.items():
        where = f"{files[0]}: {shown(name)}"
        key = (files[0].parent / name).relative_to(folder).as_posix()
        found[key] = [text(value, where) for value in entries(names, where)]
    return found


def _name(labels: Labels, classes: Mapping[int, str], folder: Path) -> None:
    """Give the numbers their names."""
    unnamed = [shape for image in labels.images for shape in image.shapes if not shape.extra.pop("named")]
    values = {int(shape.label) for shape in unnamed}
    if not classes and len(values) == 1 and values <= {1, _IGNORED}:
        names: dict[int, str] = dict.fromkeys(values, OBJECT)
    else:
        names = dict(classes)
        lost = sorted(values - names.keys())
        if classes and lost:
            raise DataError(
                f"{folder}: masks have the value {lost[0]}, {CLASSES} names {len(classes)} classes"
            )
        names |= {value: f"class {value}" for value in lost}
    for shape in unnamed:
        shape.label = names[int(shape.label)]
    labels.classes = [names[value] for value in sorted(names)]


def label_map(
    size: tuple[int, int], masks: Iterable[tuple[int, NDArray[Any]]], highest: int
) -> tuple[NDArray[Any], int]:
    """Numbers and masks (H, W) as one map, uint8 or uint16; where masks overlap, the later one counts.

    Returns:
        the map, and how many pixels had a number before.

    Raises:
        DataError: there are more numbers than 16 bits hold.
    """
    if highest > 65_535:
        raise DataError(f"{highest} numbers do not fit into a label map of 16 bits")
    found, twice = np.zeros(size, np.uint8 if highest < 256 else np.uint16), 0
    for number, mask in masks:
        inside = mask.astype(bool)
        twice += int(np.count_nonzero(found[inside]))
        found[inside] = number
    return found, twice
