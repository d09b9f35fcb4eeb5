"""CVAT's XML, version 1.1: for images and for video. Its COCO files are COCO files."""

from __future__ import annotations

import math
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from ultrasam.converters.engine.coco_parsed import shown
from ultrasam.data.formats import shapes
from ultrasam.data.formats.label_records import (
    BOXES,
    OPEN,
    Image,
    Labels,
    Shape,
    known_size,
    parsed_number,
    size_of,
    text,
)
from ultrasam.data.formats.yolo import SPLITS
from ultrasam.errors import DataError

Element = ElementTree.Element
_SHAPES = ("polygon", "mask", "ellipse", "box", "cuboid", "polyline", "points", "skeleton")


def parse(path: Path, data: bytes) -> Element:
    """XML without declarations of types and entities, which only an attack would need.

    Raises:
        DataError: it is damaged, or has such.
    """
    try:
        content = data.decode("utf-8-sig")
        if "<!DOCTYPE" in content or "<!ENTITY" in content:
            raise DataError(
                f"{path} declares a document type or entities, which label files do not; it is refused"
            )
        return ElementTree.fromstring(content)
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is no XML in UTF-8") from error
    except (ElementTree.ParseError, ValueError, RecursionError) as error:
        raise DataError(f"{path} is no valid XML: {error}") from error


def read(path: Path, root: Element) -> Labels:
    """A file that has been parsed.

    Raises:
        DataError: it is damaged; the message names the image and the shape.
    """
    labels = Labels()
    named = (node.text or "" for node in root.iterfind(".//labels/label/name"))
    labels.classes = [name.strip() for name in named if name.strip()]
    for number, entry in enumerate(root.iterfind("image")):
        where = f"{path}: image {shown(entry.get('id', str(number)))}"
        image = Image(text(entry.get("name"), f"{where}: its name"), _size(entry, where), where=where)
        split = SPLITS.get((entry.get("subset") or "").lower())
        image.extra = {"split": split} if split else {}
        labels.images.append(image)
        for shape in entry:
            _add(labels, image, shape.get("label"), shape, shape.get("group_id"), where)
    _tracks(labels, path, root)
    return labels


def _size(entry: Element, where: str) -> tuple[int, int] | None:
    height, width = entry.get("height"), entry.get("width")
    if height is None or width is None:
        return None
    sides = [parsed_number(value, f"{where}: its size") for value in (height, width)]
    return size_of(sides[0], sides[1], where)


def _tracks(labels: Labels, path: Path, root: Element) -> None:
    """The objects of a video: a frame is called as CVAT calls its picture, ``frame_000012``."""
    size = root.find(".//original_size")
    known = None
    if size is not None:
        sides = [parsed_number(size.findtext(key), f"{path}: original_size") for key in ("height", "width")]
        known = size_of(sides[0], sides[1], str(path))
    frames: dict[int, Image] = {}
    for track in root.iterfind("track"):
        for shape in track:
            if shape.get("outside") == "1":
                continue
            where = f"{path}: track {shown(track.get('id'))}"
            frame = int(parsed_number(shape.get("frame"), f"{where}: its frame"))
            if frame not in frames:
                name = f"frame_{frame:06d}"
                frames[frame] = Image(name, known, extra={"frame": frame}, where=f"{where}, frame {frame}")
            _add(labels, frames[frame], track.get("label"), shape, track.get("group_id"), frames[frame].where)
    labels.images += [frames[frame] for frame in sorted(frames)]


def _add(
    labels: Labels, image: Image, label: str | None, shape: Element, group: str | None, where: str
) -> None:
    kind = shape.tag
    if kind not in _SHAPES:
        labels.left_out["tags of whole images"] += kind == "tag"
        return
    where = f"{where}: {kind}"
    name = text(label, f"{where}: its label")
    # Zero is no group.
    group = group if group not in (None, "", "0") else None
    if kind == "polygon":
        labels.add_outline(image, name, _points(shape, where), group=group)
    elif kind == "ellipse":
        x, y, rx, ry = (
            parsed_number(shape.get(key), f"{where}: its {key}") for key in ("cx", "cy", "rx", "ry")
        )
        angle = math.radians(parsed_number(shape.get("rotation", "0"), f"{where}: its rotation"))
        image.shapes.append(Shape(name, shapes.ellipse(x, y, rx, ry, angle), group=group))
    elif kind == "mask":
        rle = _mask(shape, known_size(image, "masks"), where)
        labels.left_out["empty masks"] += rle is None
        if rle is not None:
            image.shapes.append(Shape(name, rle=rle, group=group))
    else:
        labels.left_out[BOXES if kind in ("box", "cuboid") else OPEN] += 1


def _points(shape: Element, where: str) -> list[float]:
    ring: list[float] = []
    for pair in text(shape.get("points"), f"{where}: its points").split(";"):
        values = [parsed_number(value, f"{where}: its points") for value in pair.split(",")]
        if len(values) != 2:
            raise DataError(f"{where} has the point {shown(pair)}; points are pairs x,y")
        ring += values
    return ring


def _mask(shape: Element, size: tuple[int, int], where: str) -> dict[str, object] | None:
    """Runs of background and foreground by turns, row by row within a box."""
    left, top, width, height = (
        int(parsed_number(shape.get(key), f"{where}: its {key}"))
        for key in ("left", "top", "width", "height")
    )
    runs = [
        int(parsed_number(run, f"{where}: its rle"))
        for run in text(shape.get("rle"), f"{where}: its rle").split(",")
    ]
    if min(runs) < 0 or width < 1 or height < 1 or sum(runs) != width * height:
        raise DataError(f"{where}: its runs add up to {sum(runs)}, its box has {width} x {height} pixels")
    if width > 2 * size[1] or height > 2 * size[0]:
        raise DataError(f"{where} has a box of {width} x {height} pixels, far larger than its image")
    values = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    return shapes.placed(values.reshape(height, width), left, top, size)
