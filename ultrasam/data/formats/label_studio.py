"""Label Studio's JSON exports: full ones and JSON-MIN.

Coordinates are percent of the image; brush masks are packed bits of an RGBA picture.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ultrasam.converters.engine.coco_parsed import shown
from ultrasam.data.formats import shapes
from ultrasam.data.formats.label_records import (
    BOXES,
    OBJECT,
    OPEN,
    Image,
    Labels,
    Shape,
    entries,
    fields,
    number,
    pairs,
    size_of,
    text,
)
from ultrasam.data.images import MAX_PIXELS
from ultrasam.errors import DataError

_OTHERS = "further annotations of an image, of which the last counts"


def is_task(value: Any) -> bool:
    """Whether a JSON value can be a task, with its annotations or in JSON-MIN."""
    if not isinstance(value, dict):
        return False
    full = isinstance(value.get("data"), dict) and any(key in value for key in ("annotations", "completions"))
    return full or ("shapes" not in value and any(_is_result(entry) for entry in _flat_results(value)))


def _flat_results(task: dict[str, Any]) -> Iterator[Any]:
    yield from (entry for value in task.values() if isinstance(value, list) for entry in value)


def _is_result(entry: Any) -> bool:
    return isinstance(entry, dict) and "original_width" in entry


def read(path: Path, content: Any) -> Labels:
    """A file that has been parsed: a list of tasks, or one.

    Raises:
        DataError: it is damaged; the message names the task and the result.
    """
    labels = Labels()
    for index, task in enumerate(content if isinstance(content, list) else [content]):
        where = f"{path}: task {index}"
        task = fields(task, where)
        where = f"{path}: task {shown(task.get('id', index))}"
        results = _results(labels, task, where)
        image = Image(_image(task, where), where=where)
        labels.images.append(image)
        # A region and its class can be two results of one id.
        classes = {
            str(entry.get("id")): entry
            for entry in results
            if isinstance(entry, dict) and entry.get("type") == "labels"
        }
        for place, entry in enumerate(results):
            _add(
                labels, image, fields(entry, f"{where}: result {place}"), classes, f"{where}: result {place}"
            )
    return labels


def _results(labels: Labels, task: dict[str, Any], where: str) -> list[Any]:
    for key in ("annotations", "completions"):
        if key in task:
            given = [
                fields(entry, f"{where}: an annotation") for entry in entries(task[key], f"{where}: '{key}'")
            ]
            made = [entry for entry in given if not entry.get("was_cancelled")]
            labels.left_out["annotations that were cancelled"] += len(given) - len(made)
            labels.left_out[_OTHERS] += max(len(made) - 1, 0)
            return entries(made[-1].get("result"), f"{where}: 'result'") if made else []
    found = [entry for entry in _flat_results(task) if _is_result(entry)]
    return [
        {"value": entry, **{k: v for k, v in entry.items() if k.startswith(("original", "image_"))}}
        for entry in found
    ]


def _image(task: dict[str, Any], where: str) -> str:
    """The image's address, or the name that an uploaded file had."""
    data = task["data"] if isinstance(task.get("data"), dict) else task
    named = [
        value for key, value in data.items() if isinstance(value, str) and key.lower() in ("image", "img")
    ]
    known = named or [value for value in data.values() if isinstance(value, str) and "." in value]
    if len(known) != 1:
        raise DataError(f"{where}: which of its data is the image? Call it 'image'")
    return known[0]


def _add(labels: Labels, image: Image, entry: dict[str, Any], classes: dict[Any, Any], where: str) -> None:
    value = entry.get("value")
    if not isinstance(value, dict) or "original_width" not in entry:
        labels.left_out["results that mark no region, such as choices and texts"] += 1
        return
    size = size_of(entry.get("original_height"), entry.get("original_width"), where)
    if size is None:
        raise DataError(f"{where} does not say the size of its image")
    if image.size not in (None, size):
        raise DataError(f"{where} is on an image of {size[1]} x {size[0]} pixels, others of its task are not")
    image.size = size
    if entry.get("image_rotation"):
        labels.left_out["regions on a turned view of the image"] += 1
        return
    label = _label(value, classes.get(str(entry.get("id"))), where)
    x, y = size[1] / 100, size[0] / 100

    def of(key: str, unit: float) -> float:
        return number(value.get(key), f"{where}: its {key}") * unit

    if "points" in value:
        if value.get("closed") is False:
            labels.left_out[OPEN] += 1
            return
        points = pairs(value["points"], f"{where}: its points")
        labels.add_outline(image, label, [v * (x, y)[i % 2] for i, v in enumerate(points)])
    elif "radiusX" in value:
        angle = math.radians(number(value.get("rotation", 0), f"{where}: its rotation"))
        ring = shapes.ellipse(of("x", x), of("y", y), of("radiusX", x), of("radiusY", y), angle)
        image.shapes.append(Shape(label, ring))
    elif "rle" in value:
        rle = shapes.placed(brush(value["rle"], size, where), 0, 0, size)
        labels.left_out["empty masks"] += rle is None
        if rle is not None:
            image.shapes.append(Shape(label, rle=rle))
    elif "height" in value:
        labels.left_out[BOXES] += 1
    else:
        labels.left_out[OPEN] += 1


def _label(value: dict[str, Any], beside: Any, where: str) -> str:
    """The first class of a region, in its own value or that of the result beside it."""
    holders = [value, beside.get("value") if isinstance(beside, dict) else None]
    for holder in holders:
        for key, found in holder.items() if isinstance(holder, dict) else ():
            if key.endswith("labels") and isinstance(found, list) and found:
                return text(found[0], f"{where}: its {key}")
    return OBJECT


def brush(packed: Any, size: tuple[int, int], where: str) -> NDArray[np.bool_]:
    """A brush mask (H, W) from Label Studio's packed bytes.

    The bits are a count of values (32), their width less one (5), four widths of lengths less one (4 each),
    and then pieces: is it a run (1), which of the widths its length less one has (2), that length, and the
    value of the run or the values. They are those of an RGBA picture, row by row; the opaque is the mask.

    Raises:
        DataError: they are damaged, or of another size.
    """
    data = entries(packed, f"{where}: its rle")
    if not all(type(byte) is int and 0 <= byte < 256 for byte in data):
        raise DataError(f"{where} has a brush mask that is no list of bytes")
    bits = np.unpackbits(np.array(data, np.uint8))
    height, width = size
    if height * width > MAX_PIXELS:
        raise DataError(f"{where} has {width} x {height} pixels; {MAX_PIXELS} are the most")
    place = 0

    def take(count: int, width: int = 1) -> NDArray[np.int64]:
        nonlocal place
        part = bits[place : place + count * width]
        if len(part) < count * width:
            raise DataError(f"{where} has a brush mask that is cut off")
        place += count * width
        return part.reshape(count, width) @ (1 << np.arange(width - 1, -1, -1, dtype=np.int64))

    total, depth = int(take(1, 32)[0]), int(take(1, 5)[0]) + 1
    if total != height * width * 4:
        raise DataError(
            f"{where} has a brush mask of {total} values; an image of {width} x {height} has 4 each"
        )
    widths = [int(value) + 1 for value in take(4, 4)]
    found, done = np.zeros(total, np.uint8), 0
    while done < total:
        is_run, which = int(take(1)[0]), int(take(1, 2)[0])
        length = int(take(1, widths[which])[0]) + 1
        values = take(1 if is_run else length, depth)
        # The last piece may promise more than there is.
        found[done : done + length] = values if is_run else values[: total - done]
        done += length
    return found.reshape(height, width, 4)[..., 3] > 0
