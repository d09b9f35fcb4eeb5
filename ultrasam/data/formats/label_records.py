"""What a format's reader gives: images and their objects, not yet numbered, and what was left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ultrasam.converters.engine.coco_parsed import shown
from ultrasam.errors import DataError

#: No coordinate is larger.
LARGEST = 1e9
#: Of images whose class is not said anywhere.
OBJECT = "object"
#: What is counted where a tool's shape has no area.
BOXES = "boxes, which are no masks ('ultrasam predict --prompts' makes masks of boxes)"
OPEN = "points and lines, which have no area"
FEW = "polygons of fewer than three points"


@dataclass
class Shape:
    """One shape of one object: an outline or a mask.

    Attributes:
        label: its class.
        ring: its outline x, y, x, y, ... in pixels; None where it is a mask.
        rle: its mask as compressed run lengths of the whole image; None where it is an outline.
        group: shapes of one class that share it are one object; None for an object of its own.
        extra: what else is kept of it.
    """

    label: str
    ring: list[float] | None = None
    rle: dict[str, Any] | None = None
    group: Any = None
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass
class Image:
    """One image with its shapes.

    Attributes:
        name: as the labels have it.
        size: (H, W) as the labels have it, None where they do not say.
        shapes: its shapes, in order.
        extra: what else is kept of it, such as its ``split``.
        where: how messages call it.
        path: its file, where the format knows it.
        make: what makes its PNG file, where it is part of something larger.
    """

    name: str
    size: tuple[int, int] | None = None
    shapes: list[Shape] = field(default_factory=list)
    extra: dict[str, Any] = field(default_factory=dict)
    where: str = ""
    path: Path | None = None
    make: Callable[[], bytes] | None = None


@dataclass
class Labels:
    """All that a reader found.

    Attributes:
        images: the images, in order.
        classes: names of classes in the order that the format gives them; others come behind.
        left_out: reason -> how many.
        notes: what was taken for what -> how many.
    """

    images: list[Image] = field(default_factory=list)
    classes: list[str] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)

    def add_outline(self, image: Image, label: str, ring: Sequence[float], **rest: Any) -> None:
        """Add a polygon, unless it has fewer than three points."""
        if len(ring) < 6:
            self.left_out[FEW] += 1
        else:
            image.shapes.append(Shape(label, ring=list(ring), **rest))


def fields(value: Any, where: str) -> dict[str, Any]:
    """A JSON object.

    Raises:
        DataError: it is something else.
    """
    if not isinstance(value, dict):
        raise DataError(f"{where} is {shown(value)}, no object with fields")
    return value


def entries(value: Any, where: str) -> list[Any]:
    """A JSON list.

    Raises:
        DataError: it is something else.
    """
    if not isinstance(value, list):
        raise DataError(f"{where} is {shown(value)}, no list")
    return value


def text(value: Any, where: str) -> str:
    """A text that is not empty.

    Raises:
        DataError: it is something else.
    """
    if not isinstance(value, str) or not value.strip():
        raise DataError(f"{where} is {shown(value)}; it takes a text")
    return value


def number(value: Any, where: str) -> float:
    """A finite number, as JSON has it.

    Raises:
        DataError: it is something else.
    """
    if type(value) not in (int, float) or not -LARGEST <= value <= LARGEST:
        raise DataError(f"{where} is {shown(value)}; it takes a number")
    return float(value)


def parsed_number(value: str | None, where: str) -> float:
    """A finite number written as text, as XML and tables have it.

    Raises:
        DataError: it is something else.
    """
    try:
        return number(float(value or ""), where)
    except ValueError as error:
        raise DataError(f"{where} is {shown(value)}; it takes a number") from error


def pairs(value: Any, where: str) -> list[float]:
    """Points [[x, y], ...] as x, y, x, y, ...

    Raises:
        DataError: they are no pairs of numbers.
    """
    flat: list[float] = []
    for point in entries(value, where):
        if not isinstance(point, list) or len(point) != 2:
            raise DataError(f"{where} holds {shown(point)}; points are pairs x, y")
        flat += [number(v, where) for v in point]
    return flat


def size_of(height: Any, width: Any, where: str) -> tuple[int, int] | None:
    """(H, W) in whole pixels, None where both are missing.

    Raises:
        DataError: they are no sizes.
    """
    if height is None and width is None:
        return None
    sides = [number(v, f"{where}: its size") for v in (height, width)]
    if any(side < 1 or side != int(side) or side > 65_535 for side in sides):
        raise DataError(f"{where} has the size {shown(width)} x {shown(height)}; it takes whole pixels")
    return int(sides[0]), int(sides[1])


def known_size(image: Image, what: str) -> tuple[int, int]:
    """The size of an image for shapes that can't be understood without it.

    Raises:
        DataError: it is not known.
    """
    if image.size is None:
        raise DataError(f"{image.where} does not say the size of its image, which {what} need")
    return image.size


def in_order(names: Iterable[str], first: Sequence[str]) -> list[str]:
    """Names without repetition: those of a list in its order, then the others in theirs."""
    return list(dict.fromkeys([*first, *names]))
