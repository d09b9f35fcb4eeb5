"""Boxes and points of many images in a table (CSV) or in JSON, as people and scripts write them.

CSV, with a line of names or without: ``file,x1,y1,x2,y2[,class]``, an object each, or
``file,x,y[,label]``, points of one object in each image; a column ``object`` tells several apart, and joins a
box to points. JSON: a list of objects with ``file`` and ``box``, ``points``, ``labels``, ``class``, or such
lists under files' names.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ultrasam.converters.engine.coco import read_json
from ultrasam.converters.engine.coco_parsed import shown
from ultrasam.converters.engine.errors import ConverterError
from ultrasam.data.formats.label_records import OBJECT, entries, number, pairs, parsed_number, text
from ultrasam.errors import DataError

_BOX, _POINT = ("x1", "y1", "x2", "y2"), ("x", "y")
#: Names of columns as they are without a line of names, by how many there are.
_UNNAMED = {
    5: ("file", *_BOX),
    6: ("file", *_BOX, "class"),
    3: ("file", *_POINT),
    4: ("file", *_POINT, "label"),
}
_KNOWN = {"file", *_BOX, *_POINT, "label", "class", "object"}
#: Other names that tools give to the columns.
_ALSO = {
    "file_name": "file",
    "filename": "file",
    "image": "file",
    "xmin": "x1",
    "ymin": "y1",
    "xmax": "x2",
    "ymax": "y2",
}


@dataclass
class Prompt:
    """What is known of one object of an image.

    Attributes:
        file: the image.
        where: how messages call it.
        box: x1, y1, x2, y2 in pixels, or None.
        points: x, y in pixels each.
        labels: of the points, 1 inside, 0 outside.
        label: the object's class.
    """

    file: str
    where: str
    box: list[float] | None = None
    points: list[list[float]] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    label: str = OBJECT

    def set_box(self, box: Sequence[float]) -> None:
        """Take a box.

        Raises:
            DataError: there is one already, or it is empty.
        """
        if self.box is not None:
            raise DataError(f"{self.where} is a second box of one object")
        if box[2] <= box[0] or box[3] <= box[1]:
            raise DataError(f"{self.where} has an empty box (x1, y1, x2, y2): {shown(list(box))}")
        self.box = list(box)

    def add_point(self, x: float, y: float, label: float) -> None:
        """Take a point.

        Raises:
            DataError: its label is neither 0 nor 1.
        """
        if label not in (0, 1):
            raise DataError(f"{self.where} has the label {label:g}; 1 is inside the object, 0 outside")
        self.points.append([x, y])
        self.labels.append(int(label))


def read(path: Path) -> list[Prompt] | None:
    """The prompts of a file; None where it is JSON of another kind, such as COCO.

    Raises:
        DataError: it can't be understood; the message names the line or the object.
    """
    try:
        with path.open("rb") as file:
            start = file.read(64).lstrip(b"\xef\xbb\xbf \t\r\n")
        if not start.startswith((b"{", b"[")):
            return _of_table(path)
        content = read_json(path)
    except OSError as error:
        raise DataError(f"cannot read the prompts {path}: {error.strerror or error}") from error
    except ConverterError as error:
        raise DataError(str(error)) from error
    if isinstance(content, dict) and ({"images", "annotations"} & content.keys() or not _all_lists(content)):
        return None
    return list(_of_json(path, content))


def _all_lists(content: Mapping[str, Any]) -> bool:
    return all(isinstance(value, list) for value in content.values())


def _of_table(path: Path) -> list[Prompt]:
    objects: dict[tuple[str, str], Prompt] = {}
    for where, row in _rows(path):
        file = row.get("file") or ""
        if not file:
            raise DataError(f"{where} names no file")
        box = [parsed_number(row[key], f"{where}: {key}") for key in _BOX if row.get(key)]
        point = [parsed_number(row[key], f"{where}: {key}") for key in _POINT if row.get(key)]
        if len(box) not in (0, 4) or len(point) not in (0, 2) or not box + point:
            raise DataError(f"{where} is no box x1,y1,x2,y2 and no point x,y: {shown(dict(row))}")
        # If nothing else is said, boxes are objects of their own, points of an image those of one object.
        own = row.get("object") or (where if box else "")
        prompt = objects.setdefault((file, own), Prompt(file, where))
        prompt.where = where
        if box:
            prompt.set_box(box)
        if point:
            prompt.add_point(point[0], point[1], parsed_number(row.get("label") or "1", f"{where}: label"))
        prompt.label = row.get("class") or prompt.label
    if not objects:
        raise DataError(f"{path} holds no prompts")
    return list(objects.values())


def _rows(path: Path) -> Iterator[tuple[str, Mapping[str, str]]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
        first = text.partition("\n")[0]
        delimiter = max(",;\t", key=first.count)
        lines = list(csv.reader(io.StringIO(text), delimiter=delimiter, strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is no table of text: {error}") from error
    names: Sequence[str] = ()
    for line, cells in enumerate(lines, start=1):
        cells = [cell.strip() for cell in cells]
        where = f"{path}, line {line}"
        if not any(cells) or cells[0].startswith("#"):
            continue
        if not names:
            names = _columns(cells, where)
            if names is not _UNNAMED.get(len(cells)):
                continue
        if len(cells) != len(names):
            raise DataError(f"{where} has {len(cells)} columns; {len(names)} are {', '.join(names)}")
        yield where, dict(zip(names, cells, strict=True))


def _columns(cells: Sequence[str], where: str) -> Sequence[str]:
    """The names of columns from the first line, which may be the first row already."""
    named = [_ALSO.get(cell.lower(), cell.lower()) for cell in cells]
    if "file" in named:
        unknown = [name for name in named if name not in _KNOWN]
        if unknown or len(set(named)) < len(named):
            raise DataError(
                f"{where} names columns that are not known or twice there: {', '.join(unknown or named)}"
            )
        return named
    if len(cells) in _UNNAMED:
        return _UNNAMED[len(cells)]
    raise DataError(
        f"{where} has {len(cells)} columns; they are file,x1,y1,x2,y2[,class] or file,x,y[,label], or named"
    )


def _of_json(path: Path, content: Any) -> Iterator[Prompt]:
    listed = content
    if isinstance(content, dict):
        listed = [
            {"file": file, **entry} if isinstance(entry, dict) else entry
            for file, its in content.items()
            for entry in its
        ]
    if not listed:
        raise DataError(f"{path} holds no prompts")
    for index, entry in enumerate(listed, start=1):
        where = f"{path}: object {index}"
        if not isinstance(entry, dict):
            raise DataError(f"{where} is {shown(entry)}; it takes 'file' and 'box' or 'points'")
        unknown = sorted(entry.keys() - {"file", "box", "points", "labels", "class"})
        if unknown:
            raise DataError(f"{where} has the field {shown(unknown[0])}, which is not known")
        prompt = Prompt(text(entry.get("file"), f"{where}: 'file'"), where)
        if entry.get("class") is not None:
            prompt.label = text(entry["class"], f"{where}: 'class'")
        _places(prompt, entry)
        yield prompt


def _places(prompt: Prompt, entry: Mapping[str, Any]) -> None:
    where = prompt.where
    if entry.get("box") is not None:
        box = [number(value, f"{where}: its box") for value in entries(entry["box"], f"{where}: its box")]
        if len(box) != 4:
            raise DataError(f"{where} has the box {shown(box)}; it takes x1, y1, x2, y2")
        prompt.set_box(box)
    flat = pairs(entry.get("points") or [], f"{where}: its points")
    labels = entry.get("labels")
    labels = [1] * (len(flat) // 2) if labels is None else entries(labels, f"{where}: its labels")
    if len(labels) != len(flat) // 2:
        raise DataError(f"{where} has {len(flat) // 2} points and {len(labels)} labels")
    for x, y, label in zip(flat[::2], flat[1::2], labels, strict=True):
        prompt.add_point(x, y, number(label, f"{where}: a label"))
    if prompt.box is None and not prompt.points:
        raise DataError(f"{where} has no box and no points")
