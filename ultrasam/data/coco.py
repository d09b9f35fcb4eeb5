"""COCO files: read with errors that help, and their masks as arrays."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from ultrasam.converters.engine import coco_schema, segmentations
from ultrasam.converters.engine.coco_parsed import Need, Parsed
from ultrasam.converters.engine.contradictions import TOLERATED
from ultrasam.converters.engine.errors import ConverterError
from ultrasam.converters.engine.names import locate, match
from ultrasam.converters.engine.rle import compress, counts
from ultrasam.converters.engine.segmentations import to_rle
from ultrasam.data.boxes import to_xyxy
from ultrasam.errors import DataError

__all__ = [
    "CocoFile",
    "CocoImage",
    "Need",
    "Parsed",
    "all_images",
    "as_rle",
    "check_files",
    "compress",
    "counts",
    "decode",
    "encode",
    "load",
    "match",
    "read",
    "to_rle",
]


@dataclass
class CocoImage:
    """One image of a COCO file and its annotated objects.

    Attributes:
        id: the file's image id.
        path: the image file.
        size: (H, W) in pixels.
        dataset: the data set it comes from, empty where the file does not say.
        annotations: its annotations as in the file, those without area left out.
        entry: all that the file says of it.
    """

    id: int
    path: Path
    size: tuple[int, int]
    dataset: str
    annotations: list[dict[str, Any]] = field(default_factory=list)
    entry: Mapping[str, Any] = field(default_factory=dict)

    def masks(self) -> list[NDArray[Any]]:
        """The masks of its objects, (H, W) bool each."""
        where = f"{self.path}: annotation"
        return [decode(a["segmentation"], self.size, f"{where} {a['id']}") for a in self.annotations]

    def boxes(self) -> NDArray[Any]:
        """The annotated boxes of its objects, (n, 4) float64 xyxy."""
        return to_xyxy(np.reshape([a["bbox"] for a in self.annotations], (-1, 4)))


@dataclass
class CocoFile:
    """The images of a COCO file that can be used, and a count of what was left out.

    Attributes:
        path: the COCO file.
        images: images with at least one object, in the file's order.
        left_out: reason -> how many annotations or images.
        content: all that the file holds, used or not.
        notes: what was taken for what -> how many.
    """

    path: Path
    images: list[CocoImage]
    left_out: Counter[str]
    content: Mapping[str, Any]
    notes: Counter[str] = field(default_factory=Counter)

    def summary(self) -> str:
        """One line: what is used and what is not."""
        objects = sum(len(image.annotations) for image in self.images)
        text = f"{self.path}: {len(self.images)} images with {objects} objects"
        for what, found in (("left out", self.left_out), ("note", self.notes)):
            if found:
                text += f"; {what}: " + ", ".join(f"{n} {reason}" for reason, n in sorted(found.items()))
        return text

    def part(self, images: Sequence[CocoImage]) -> dict[str, Any]:
        """The content of a COCO file of some of the images, with those of their objects that are used."""
        wanted = {image.id for image in images}
        return {
            **self.content,
            "images": [entry for entry in self.content["images"] if entry["id"] in wanted],
            "annotations": [annotation for image in images for annotation in image.annotations],
        }


def read(path: str | Path, need: Need = Need.ENTRIES) -> Parsed:
    """A COCO file in which nothing is wrong, as far as is needed; see `converters.engine.coco_schema`.

    Raises:
        DataError: it is missing, no COCO file, or something in it is wrong: the message has the first.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"no COCO file at {path}; make it with 'ultrasam convert' or 'ultrasam data phantom'")
    try:
        parsed = coco_schema.parse(path, need)
        parsed.usable(path)
    except ConverterError as error:
        raise DataError(str(error)) from error
    return parsed


def load(
    path: str | Path,
    images_dir: str | Path,
    categories: Sequence[str] | None = None,
    *,
    wanted: Callable[[Mapping[str, Any]], bool] | None = None,
    parsed: Parsed | None = None,
) -> CocoFile:
    """Read a COCO file and check what training and testing rely on.

    Annotations without area are left out, and images without annotations. Crowd annotations are, unless all
    are (CVAT marks every brush mask so). Those whose box contradicts their mask are left out where they are
    at most a hundredth of all; more make the file unusable. All is counted.

    Args:
        path: the COCO file.
        images_dir: the folder that its ``file_name`` entries start from.
        categories: use only objects of these categories; None for all.
        wanted: use only images whose entry in the file this accepts; None for all.
        parsed: what `read` gave for the file with masks, where it has been read before.

    Raises:
        DataError: missing images, unknown ids, malformed masks, boxes outside the image or elsewhere than
            their masks, or no object left.
    """
    path = Path(path)
    parsed = read(path, Need.MASKS) if parsed is None else parsed
    content, notes = parsed.content, parsed.notes.copy()
    annotations = content["annotations"]
    chosen = _category_ids(path, content, categories)
    if parsed.contradictory.sum() > TOLERATED * len(annotations):
        raise DataError(f"{path}: {parsed.contradiction} (run 'ultrasam data check {path}' for all)")
    use_crowds = bool(annotations) and all(annotation.get("iscrowd") for annotation in annotations)
    notes["crowd annotations (iscrowd 1), used since all are"] += use_crowds * len(annotations)
    objects: dict[Any, list[dict[str, Any]]] = {entry["id"]: [] for entry in content["images"]}
    left_out: Counter[str] = Counter()
    shapes = zip(parsed.areas.tolist(), parsed.contradictory.tolist(), strict=True)
    for annotation, (area, contradictory) in zip(annotations, shapes, strict=True):
        if chosen is not None and annotation.get("category_id") not in chosen:
            left_out["annotations of other categories"] += 1
        elif annotation.get("iscrowd") and not use_crowds:
            left_out["crowd annotations"] += 1
        elif area == 0:
            left_out["annotations with an empty mask"] += 1
        elif min(annotation["bbox"][2:]) <= 0:
            left_out["annotations with an empty box"] += 1
        elif contradictory:
            left_out["annotations whose box contradicts their mask"] += 1
        else:
            objects[annotation["image_id"]].append(annotation)
    entries = [entry for entry in content["images"] if wanted is None or wanted(entry)]
    used = [entry for entry in entries if objects[entry["id"]]]
    left_out["images without an object"] += len(entries) - len(used)
    if not used:
        reasons = ", ".join(f"{n} {reason}" for reason, n in (+left_out).items()) or "none is in it"
        raise DataError(f"{path} has no annotated object to use ({len(annotations)} annotations: {reasons})")
    images = _images(path, Path(images_dir), used, objects, notes)
    return CocoFile(path, images, +left_out, content, +notes)


def all_images(path: Path, images_dir: Path, parsed: Parsed) -> list[CocoImage]:
    """The images of a file that `read` gave, with and without objects, which are left out.

    Raises:
        DataError: image files are missing.
    """
    entries = parsed.content["images"]
    return _images(path, images_dir, entries, {entry["id"]: [] for entry in entries}, Counter())


def _category_ids(path: Path, content: Mapping[str, Any], names: Sequence[str] | None) -> set[Any] | None:
    """The ids that have these names, several where categories share one; None for all."""
    if names is None:
        return None
    known: dict[str, set[Any]] = {}
    for category in content["categories"]:
        known.setdefault(category["name"], set()).add(category["id"])
    unknown = [name for name in names if name not in known]
    if unknown:
        raise DataError(
            f"{path} has no category {', '.join(unknown)}; it has {', '.join(known) or 'none at all'}"
        )
    return set().union(*(known[name] for name in names))


def _images(
    path: Path,
    folder: Path,
    entries: Sequence[Mapping[str, Any]],
    objects: Mapping[Any, list[dict[str, Any]]],
    notes: Counter[str],
) -> list[CocoImage]:
    """The images of entries with their files, found by other spellings of their names too.

    Raises:
        DataError: some are missing.
    """
    found, ambiguous = locate(folder, [entry["file_name"] for entry in entries])
    images = []
    for entry in entries:
        name, number = entry["file_name"], entry["id"]
        file = found[name] if name in found else folder / name
        size, dataset = (entry["height"], entry["width"]), str(entry.get("dataset", ""))
        images.append(CocoImage(number, file, size, dataset, objects[number], entry))
    if not all(entry["file_name"] in found for entry in entries):
        check_files(path, images, ambiguous)
    respelled = sum(file != folder / name for name, file in found.items())
    notes["image files found by another spelling of their name"] += respelled
    return images


def check_files(
    path: Path, images: Sequence[CocoImage], ambiguous: Mapping[str, Sequence[str]] | None = None
) -> None:
    """Raise `DataError`, with the first of them, where image files are missing.

    Args:
        path: the COCO file, for the message.
        images: its images.
        ambiguous: file names that several files fit, with these.
    """
    missing = [image for image in images if not os.path.isfile(image.path)]  # noqa: PTH113  too long a name
    if not missing:
        return
    shown = ", ".join(f"{image.path} (id {image.id})" for image in missing[:3])
    fits = next(
        (f for image in missing if (f := (ambiguous or {}).get(image.entry.get("file_name", "")))), ()
    )
    raise DataError(
        f"{path}: {len(missing)} of {len(images)} images are missing: {shown}"
        f"{', ...' if len(missing) > 3 else ''}; is the image folder right?"
        + (f" ({' and '.join(fits[:3])} fit; write which is meant)" if fits else "")
    )


def as_rle(segmentation: Any, size: tuple[int, int], where: str) -> dict[str, Any]:
    """A COCO segmentation (polygons, RLE, compressed RLE) as compressed RLE.

    Args:
        segmentation: as in the file.
        size: (H, W) of the image.
        where: begins the error message.

    Raises:
        DataError: it is malformed or of another size than the image.
    """
    if segmentations.is_flat(segmentation):
        segmentation = [segmentation]
    (reason,) = segmentations.faults([segmentation], [size])
    if reason is not None:
        raise DataError(f"{where} has a malformed mask: {reason}")
    return to_rle(segmentation, size)


def decode(segmentation: Any, size: tuple[int, int], where: str) -> NDArray[Any]:
    """A COCO segmentation as (H, W) bool; errors as in `as_rle`."""
    return coco_mask.decode(as_rle(segmentation, size, where)).astype(bool)


def encode(mask: NDArray[Any]) -> dict[str, Any]:
    """A mask (H, W) bool as compressed RLE with text counts, as COCO files hold it."""
    rle = coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8))
    return {"size": [int(n) for n in rle["size"]], "counts": rle["counts"].decode("ascii")}
