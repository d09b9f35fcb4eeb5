"""A COCO file to other tools' formats."""

from __future__ import annotations

import gzip
import os
import re
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from ultrasam.converters.engine.coco_parsed import Need
from ultrasam.converters.engine.names import locate
from ultrasam.converters.engine.segmentations import to_rle
from ultrasam.data import coco
from ultrasam.data.files import atomic, write_bytes, write_json, write_text
from ultrasam.data.formats import label_maps, labelme, yolo
from ultrasam.data.polygons import one_polygon, polygons
from ultrasam.errors import DataError

FORMATS = ("yolo", "labelme", "png", "nifti", "polygons")
#: Corners that move an outline by less are left out: polygons stay within a pixel of the mask's border.
TOLERANCE = 0.75


@dataclass
class Exported:
    """What was written.

    Attributes:
        out: where.
        images: how many images.
        objects: how many objects.
        lost: what the format does not hold -> how much of it.
    """

    out: Path
    images: int = 0
    objects: int = 0
    lost: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        text = f"{self.out}: {self.images} images with {self.objects} objects"
        lost = ", ".join(f"{n} {what}" for what, n in (+self.lost).items())
        return f"{text}; lost: {lost}" if lost else text


@dataclass(frozen=True)
class Item:
    """One image: its entry in the COCO file, the name of its files without an ending, and its objects.

    Attributes:
        entry: in the COCO file.
        stem: for outputs, with folders, unique.
        path: the image file, None where it is not there.
        annotations: with a mask that is not empty.
    """

    entry: Mapping[str, Any]
    stem: str
    path: Path | None
    annotations: Sequence[Mapping[str, Any]]

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) in pixels."""
        return self.entry["height"], self.entry["width"]

    def masks(self) -> Iterator[NDArray[np.uint8]]:
        """The masks of its objects, (H, W), 0 and 1."""
        for annotation in self.annotations:
            yield coco_mask.decode(to_rle(annotation["segmentation"], self.size))


def export(
    source: Path,
    to: str,
    out: Path,
    images: Path,
    *,
    tolerance: float = TOLERANCE,
    objects: bool = False,
) -> Exported:
    """Write a COCO file's labels for other tools.

    Args:
        source: the COCO file.
        to: one of `FORMATS`.
        out: folder to write to; for ``polygons``, the file.
        images: folder below which the images lie; ``yolo`` copies them.
        tolerance: of polygons, in pixels; 0 keeps every corner of every pixel.
        objects: of label maps: each object has a number of its own, not its class's.

    Raises:
        DataError: the COCO file or an image is missing or damaged.
    """
    if not 0 <= tolerance <= 100:
        raise DataError(f"a tolerance is a number of pixels from 0 to 100, not {tolerance}")
    parsed = coco.read(source, Need.MASKS)
    done = Exported(out)
    done.lost["objects with an empty mask"] += int((parsed.areas == 0).sum())
    items, names = _items(parsed, images), _classes(parsed.content["categories"])
    if not items or not any(item.annotations for item in items):
        raise DataError(f"{source} has no object with a mask")
    done.images, done.objects = len(items), sum(len(item.annotations) for item in items)
    if to == "yolo":
        _yolo(done, items, names, tolerance)
    elif to == "labelme":
        _labelme(done, items, names, tolerance)
    elif to == "polygons":
        _polygons(done, parsed.content, items, tolerance)
    else:
        _label_maps(done, items, names, to, objects)
    return done


def _items(parsed: coco.Parsed, images: Path) -> list[Item]:
    content = parsed.content
    of_image: dict[Any, list[Mapping[str, Any]]] = {entry["id"]: [] for entry in content["images"]}
    for annotation, area in zip(content["annotations"], parsed.areas.tolist(), strict=True):
        if area > 0:
            of_image[annotation["image_id"]].append(annotation)
    names = [entry["file_name"] for entry in content["images"]]
    found, _ = locate(images, names)
    return [
        Item(entry, stem, found.get(entry["file_name"]), of_image[entry["id"]])
        for entry, stem in zip(content["images"], stems(names), strict=True)
    ]


def stems(names: Sequence[str]) -> list[str]:
    """Names of outputs for file names: below the output folder, without endings, none twice."""
    parts = [[p for p in re.split(r"[/\\]", name) if p not in ("", ".", "..")] for name in names]
    safe = ["/".join(re.sub(r"[:*?\"<>|\x00-\x1f]", "_", p) for p in part) or "image" for part in parts]
    plain = [str(Path(name).with_suffix("")) for name in safe]
    count = Counter(name.casefold() for name in plain)
    found, seen = [], Counter[str]()
    for name, stem in zip(safe, plain, strict=True):
        stem = stem if count[stem.casefold()] == 1 else f"{stem}_{Path(name).suffix[1:]}"
        seen[stem.casefold()] += 1
        found.append(stem if seen[stem.casefold()] == 1 else f"{stem}_{seen[stem.casefold()]}")
    return found


def _classes(categories: Iterable[Mapping[str, Any]]) -> dict[Any, tuple[int, str]]:
    """Category id -> its place from 0, and its name; categories of one name are one."""
    places: dict[str, int] = {}
    return {c["id"]: (places.setdefault(c["name"], len(places)), c["name"]) for c in categories}


def _names(classes: Mapping[Any, tuple[int, str]]) -> list[str]:
    return [name for _, name in sorted(set(classes.values()))]


def _yolo(
    done: Exported, items: Sequence[Item], classes: Mapping[Any, tuple[int, str]], tolerance: float
) -> None:
    missing = [item.entry["file_name"] for item in items if item.path is None]
    if missing:
        raise DataError(
            f"{len(missing)} images are missing, such as '{missing[0]}'; is the image folder right?"
        )
    parts = []
    for item in items:
        split = item.entry.get("split")
        part = split if split in ("train", "val", "test") else "train"
        parts.append(part)
        lines = [
            yolo.line(classes[annotation["category_id"]][0], one_polygon(mask, tolerance), item.size)
            for annotation, mask in zip(item.annotations, item.masks(), strict=True)
        ]
        write_text(done.out / "labels" / part / f"{item.stem}.txt", "".join(f"{line}\n" for line in lines))
        assert item.path is not None
        with atomic(done.out / "images" / part / f"{item.stem}{item.path.suffix}") as copy:
            shutil.copyfile(item.path, copy)
    write_text(done.out / "data.yaml", yolo.config(_names(classes), dict.fromkeys(parts)))


def _labelme(
    done: Exported, items: Sequence[Item], classes: Mapping[Any, tuple[int, str]], tolerance: float
) -> None:
    for item in items:
        path = done.out / f"{item.stem}.json"
        image = os.path.relpath(item.path, path.parent) if item.path else item.entry["file_name"]
        objects = [
            (classes[annotation["category_id"]][1], polygons(mask, tolerance, holes=True), number)
            for number, (annotation, mask) in enumerate(zip(item.annotations, item.masks(), strict=True), 1)
        ]
        write_json(path, labelme.content(Path(image).as_posix(), item.size, objects), indent=1)


def _polygons(done: Exported, content: Mapping[str, Any], items: Sequence[Item], tolerance: float) -> None:
    annotations = [
        annotation
        if isinstance(annotation["segmentation"], list)
        else {**annotation, "segmentation": polygons(mask, tolerance, holes=True)}
        for item in items
        for annotation, mask in zip(item.annotations, item.masks(), strict=True)
    ]
    write_json(done.out, {**content, "annotations": annotations})


def _label_maps(
    done: Exported, items: Sequence[Item], classes: Mapping[Any, tuple[int, str]], to: str, objects: bool
) -> None:
    listed = {}
    for item in items:
        labels = [classes[annotation["category_id"]] for annotation in item.annotations]
        numbers = list(range(1, len(labels) + 1)) if objects else [place + 1 for place, _ in labels]
        masks = list(item.masks())
        highest = max(numbers, default=0) if objects else len(_names(classes))
        values, twice = label_maps.label_map(item.size, zip(numbers, masks, strict=True), highest)
        done.lost["pixels where objects overlap, which the later one got"] += twice
        if not objects:
            done.lost["objects that touch others of their class and become one with them"] += _merged(
                numbers, masks
            )
        file = f"masks/{item.stem}.{'png' if to == 'png' else 'nii.gz'}"
        listed[file] = [name for _, name in labels]
        data = cv2.imencode(".png", values)[1].tobytes() if to == "png" else _nifti(values, item.entry)
        write_bytes(done.out / file, data)
    if objects:
        write_json(done.out / label_maps.OBJECTS, listed, indent=1)
    else:
        write_text(done.out / label_maps.CLASSES, "".join(f"{name}\n" for name in _names(classes)))


def _merged(numbers: Sequence[int], masks: Sequence[NDArray[np.uint8]]) -> int:
    """How many parts of masks are lost where those of one number are drawn together."""
    lost = 0
    for number in set(numbers):
        its = [mask for n, mask in zip(numbers, masks, strict=True) if n == number]
        if len(its) > 1:
            together = cv2.connectedComponents(np.maximum.reduce(its))[0] - 1
            lost += max(sum(cv2.connectedComponents(mask)[0] - 1 for mask in its) - together, 0)
    return lost


def _nifti(values: NDArray[Any], entry: Mapping[str, Any]) -> bytes:
    """A label map (H, W) as a NIfTI volume (W, H, 1), upright in viewers, in mm where those are known."""
    import nibabel

    spacing = entry.get("spacing")
    listed = spacing if isinstance(spacing, list) else []
    known = len(listed) == 2 and all(type(v) in (int, float) and v > 0 for v in listed)
    x, y = listed if known else (1.0, 1.0)
    # First axes of NIfTI point to the right and front of the patient, those of viewed pictures do not.
    volume = nibabel.Nifti1Image(np.ascontiguousarray(values.T[..., None]), np.diag([-x, -y, 1.0, 1.0]))
    volume.header.set_xyzt_units("mm" if known else "unknown")
    return gzip.compress(volume.to_bytes(), mtime=0)
