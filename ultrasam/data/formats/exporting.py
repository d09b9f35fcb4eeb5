"""A COCO file to other tools' formats."""

from __future__ import annotations

import gzip
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ultrasam.converters.engine.coco_parsed import Need
from ultrasam.data import coco
from ultrasam.data.files import atomic, write_bytes, write_json, write_text
from ultrasam.data.formats import label_maps, labelme, parquet, shard_export, yolo
from ultrasam.data.formats.export_items import Exported, Item, classes_of, items_of, require_images
from ultrasam.data.polygons import one_polygon, polygons
from ultrasam.data.shards.shard_writing import SHARD_SIZE
from ultrasam.data.shards.stored_pixels import Pixels
from ultrasam.errors import DataError

FORMATS = ("yolo", "labelme", "png", "nifti", "polygons", "webdataset", "parquet")
#: Corners that move an outline by less are left out: polygons stay within a pixel of the mask's border.
TOLERANCE = 0.75


def export(
    source: Path,
    to: str,
    out: Path,
    images: Path,
    *,
    tolerance: float = TOLERANCE,
    objects: bool = False,
    pixels: Pixels = "raw",
    shard_size: int = SHARD_SIZE,
) -> Exported:
    """Write a COCO file's labels for other tools.

    Args:
        source: the COCO file.
        to: one of `FORMATS`.
        out: folder to write to; for ``polygons``, the file.
        images: folder below which the images lie; ``yolo``, ``webdataset`` and ``parquet`` copy them.
        tolerance: of polygons, in pixels; 0 keeps every corner of every pixel.
        objects: of label maps: each object has a number of its own, not its class's.
        pixels: of ``webdataset``: pixels as they are, or the image files.
        shard_size: of ``webdataset`` and ``parquet``: bytes of a file, about.

    Raises:
        DataError: the COCO file or an image is missing or damaged.
    """
    if shard_size < 2**10:
        raise DataError("a shard has 1 MiB or more: say how many with --shard-size")
    if not 0 <= tolerance <= 100:
        raise DataError(f"a tolerance is a number of pixels from 0 to 100, not {tolerance}")
    parsed = coco.read(source, Need.MASKS)
    done = Exported(out)
    done.lost["objects with an empty mask"] += int((parsed.areas == 0).sum())
    items, names = items_of(parsed, images), classes_of(parsed.content["categories"])
    if not items or not any(item.annotations for item in items):
        raise DataError(f"{source} has no object with a mask")
    done.images, done.objects = len(items), sum(len(item.annotations) for item in items)
    if to == "yolo":
        _yolo(done, items, names, tolerance)
    elif to == "labelme":
        _labelme(done, items, names, tolerance)
    elif to == "polygons":
        _polygons(done, parsed.content, items, tolerance)
    elif to == "webdataset":
        shard_export.write(done, source, images, parsed, items, pixels=pixels, shard_size=shard_size)
    elif to == "parquet":
        parquet.write(done, parsed.content, items, shard_size)
    else:
        _label_maps(done, items, names, to, objects)
    return done


def _names(classes: Mapping[Any, tuple[int, str]]) -> list[str]:
    return [name for _, name in sorted(set(classes.values()))]


def _yolo(
    done: Exported, items: Sequence[Item], classes: Mapping[Any, tuple[int, str]], tolerance: float
) -> None:
    require_images(items)
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
