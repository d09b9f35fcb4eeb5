"""labelme's JSON files, one for each image; X-AnyLabeling and others write them too."""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ultrasam.converters.engine.coco_parsed import shown
from ultrasam.converters.engine.names import is_file
from ultrasam.data.formats import shapes
from ultrasam.data.formats.label_records import (
    BOXES,
    OPEN,
    Image,
    Labels,
    Shape,
    entries,
    fields,
    known_size,
    pairs,
    size_of,
    text,
)
from ultrasam.errors import DataError

_BOXES = ("rectangle", "oriented_rectangle", "rotation", "quadrilateral", "cuboid")
_OPEN = ("point", "points", "line", "linestrip")


def read(files: Iterable[tuple[Path, Any]]) -> Labels:
    """Files that have been parsed.

    Raises:
        DataError: one is damaged; the message names it and the shape.
    """
    labels = Labels()
    for path, content in files:
        where = str(path)
        given = fields(content, where)
        name = text(given.get("imagePath"), f"{where}: 'imagePath'")
        size = size_of(given.get("imageHeight"), given.get("imageWidth"), where)
        beside = path.parent / name.replace("\\", "/")
        image = Image(name, size, where=where, path=beside if is_file(beside) else None)
        for index, entry in enumerate(entries(given.get("shapes"), f"{where}: 'shapes'")):
            _add(labels, image, entry, f"{where}: shapes[{index}]")
        labels.images.append(image)
    return labels


def _add(labels: Labels, image: Image, entry: Any, where: str) -> None:
    shape = fields(entry, where)
    label = text(shape.get("label"), f"{where}: its label")
    kind = shape.get("shape_type") or "polygon"
    points = pairs(shape.get("points"), f"{where}: its points")
    group = shape.get("group_id")
    if not isinstance(group, (int, str, type(None))):
        raise DataError(f"{where} has the group_id {shown(group)}; it takes a whole number")
    if kind == "polygon":
        labels.add_outline(image, label, points, group=group)
    elif kind == "circle":
        if len(points) != 4:
            raise DataError(
                f"{where} is a circle of {len(points) // 2} points; its center and one on it are two"
            )
        x, y, on_x, on_y = points
        radius = math.hypot(on_x - x, on_y - y)
        image.shapes.append(Shape(label, ring=shapes.ellipse(x, y, radius, radius), group=group))
    elif kind == "mask":
        rle = _mask(shape.get("mask"), points, image, where)
        if rle is None:
            labels.left_out["empty masks"] += 1
        else:
            image.shapes.append(Shape(label, rle=rle, group=group))
    elif kind in _BOXES:
        labels.left_out[BOXES] += 1
    elif kind in _OPEN:
        labels.left_out[OPEN] += 1
    else:
        raise DataError(f"{where} has the shape_type {shown(kind)}, which is not known")


def _mask(data: Any, points: list[float], image: Image, where: str) -> dict[str, Any] | None:
    """A mask: a PNG in base64, whose corner is the first point."""
    size = known_size(image, "masks")
    try:
        packed = base64.b64decode(text(data, f"{where}: its mask"), validate=True)
    except binascii.Error as error:
        raise DataError(f"{where} has a mask that is no base64: {error}") from error
    part = cv2.imdecode(np.frombuffer(packed, np.uint8), cv2.IMREAD_GRAYSCALE) if packed else None
    if part is None or len(points) < 2:
        raise DataError(f"{where} has a mask that is no PNG, or no corner to put it at")
    return shapes.placed(part > 0, int(points[0]), int(points[1]), size)


def content(
    image_path: str, size: tuple[int, int], objects: Iterable[tuple[str, list[list[float]], int]]
) -> Any:
    """A file's content.

    Args:
        image_path: from the file's folder.
        size: (H, W).
        objects: class, polygons in pixels, and a number; an object of several polygons gets it as group_id.
    """
    listed: list[dict[str, Any]] = [
        {
            "label": label,
            "points": [[x, y] for x, y in zip(ring[::2], ring[1::2], strict=True)],
            "group_id": number if len(rings) > 1 else None,
            "description": "",
            "shape_type": "polygon",
            "flags": {},
        }
        for label, rings, number in objects
        for ring in rings
    ]
    return {
        "version": "5.5.0",
        "flags": {},
        "shapes": listed,
        "imagePath": image_path,
        "imageData": None,
        "imageHeight": size[0],
        "imageWidth": size[1],
    }
