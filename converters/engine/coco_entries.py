"""The entries of a COCO file's three lists: their fields, their ids, and which belongs to which."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Container, Mapping
from dataclasses import dataclass
from functools import cached_property
from textwrap import shorten
from typing import Any

from .coco_parsed import Need, Parsed, Problem, called, shown
from .header import MAX_PIXELS
from .segmentations import NUMBERS

#: Side that an image can have, in pixels.
LONGEST_SIDE = 65_535
#: No area or score is larger.
LARGEST = 1e18
#: Bytes of a file's name and of a whole path, as file systems have it.
LONGEST_PART, LONGEST_NAME = 255, 4095


def images(parsed: Parsed, need: Need) -> dict[Any, tuple[int, int] | None]:
    """Look at the images; gives image id -> (H, W), None where it is not known."""
    entries, sizes = list(parsed.content["images"]), dict[Any, Any]()
    for index, entry in enumerate(entries):
        where, number = _identified(parsed, "images", index, entry, sizes)
        if not isinstance(entry, dict):
            continue
        said = _texts(entry)
        height, width = entry.get("height"), entry.get("width")
        if need >= Need.MASKS or height is not None or width is not None:
            if type(height) is float or type(width) is float:
                height, width = _whole(height), _whole(width)
                entries[index] = {**entry, "height": height, "width": width}
            wrong = _size(height, width)
            said += [("incomplete image", wrong)] if wrong else []
            sizes[number] = None if wrong else (height, width)
        else:
            sizes[number] = None
        parsed.problems += [Problem(kind, f"{where} {text}") for kind, text in said]
    parsed.content["images"] = entries
    _of_one_type(parsed, "images", sizes)
    return sizes


def _texts(entry: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What is wrong with the texts of an image, by kind."""
    name = entry.get("file_name")
    found = []
    if not isinstance(name, str) or not name.strip("/\\ "):
        found.append(("incomplete image", f"lacks a valid 'file_name': {shown(name)}"))
    elif "\0" in name:
        found.append(("file name", f"has a file name with a zero in it: {shown(name)}"))
    elif len(name) * 4 > LONGEST_PART and _too_long(name):
        found.append(("file name", f"has a file name of {len(name)} characters; no file has so long a name"))
    for key in ("dataset", "subject", "split"):
        value = entry.get(key)
        if type(value) is list or type(value) is dict:
            found.append(("image", f"has the {key} {shown(value)}; it takes a text"))
    return found


def _whole(value: Any) -> Any:
    """128 for 128.0."""
    is_whole = type(value) is float and value.is_integer() and abs(value) <= LONGEST_SIDE
    return int(value) if is_whole else value


def _too_long(name: str) -> bool:
    parts = re.split(r"[/\\]", name)
    return len(name.encode()) > LONGEST_NAME or max(len(part.encode()) for part in parts) > LONGEST_PART


def _size(height: Any, width: Any) -> str | None:
    for key, value in (("height", height), ("width", width)):
        if type(value) is not int or value < 1:
            return f"lacks a valid '{key}': {shown(value)}; it takes the image's size in pixels"
        if value > LONGEST_SIDE:
            return f"has the {key} {shown(value)}; {LONGEST_SIDE} pixels are the most"
    if height * width > MAX_PIXELS:
        return f"has {height} x {width} pixels; {MAX_PIXELS} are the most"
    return None


def categories(parsed: Parsed) -> dict[Any, Any]:
    """Look at the categories; gives category id -> name."""
    entries, names = list(parsed.content["categories"]), dict[Any, Any]()
    for index, entry in enumerate(entries):
        where, number = _identified(parsed, "categories", index, entry, names)
        if not isinstance(entry, dict):
            continue
        name: Any = entry.get("name")
        if name is None or name == "":
            name = f"category {number}"
            entries[index] = {**entry, "name": name}
            parsed.notes["categories without a name, named after their ids"] += 1
        elif not isinstance(name, str):
            parsed.problems.append(
                Problem("category", f"{where} has the name {shown(name)}; it takes a text")
            )
        names[number] = name
    parsed.content["categories"] = entries
    _of_one_type(parsed, "categories", names)
    twins = Counter(name for name in names.values() if isinstance(name, str))
    for name, count in twins.items():
        if count > 1:
            parsed.notes[f"categories of the one name {shown(name)}, taken for one"] += count
    return names


def _identified(parsed: Parsed, part: str, index: int, entry: Any, known: Container[Any]) -> tuple[str, Any]:
    """How messages call an entry, and its id; None where that is wrong, which is a problem."""
    what = {"images": "image", "categories": "category", "annotations": "annotation"}[part]
    if type(entry) is not dict:
        parsed.problems.append(Problem("entry", f"{part}[{index}] is {shown(entry)}, no object with fields"))
        return "", None
    number = entry.get("id")
    if not is_id(number):
        said = "no id" if number is None else f"the id {shown(number)}; it takes a whole number or a text"
        parsed.problems.append(Problem("bad id", f"{part}[{index}] has {said}"))
        return f"{part}[{index}]", None
    if number in known:
        said = f"the {what} id {shown(number)} occurs twice; ids must be unique"
        parsed.problems.append(Problem("duplicate id", said))
    return f"{what} {number}", number


def is_id(value: Any) -> bool:
    """Whether a value can be an id: a whole number, or a text that is not empty."""
    return type(value) is int or (type(value) is str and value != "")


def _of_one_type(parsed: Parsed, part: str, known: Collection[Any]) -> None:
    texts = [number for number in known if isinstance(number, str)]
    if texts and len(texts) < len(known) - (None in known):
        parsed.problems.append(
            Problem("bad id", f"some ids of {part} are numbers and others texts ({shown(texts[0])})")
        )


def objects(parsed: Parsed, sizes: Mapping[Any, Any], names: Mapping[Any, str]) -> list[int]:
    """Look at what every reader needs; gives the rows that are whole so far."""
    entries, rows, known = list(parsed.content["annotations"]), [], set[Any]()
    links = (("image_id", sizes, _Texts(sizes)), ("category_id", names, _Texts(names)))
    for index, entry in enumerate(entries):
        before = len(parsed.problems)
        _, number = _identified(parsed, "annotations", index, entry, known)
        if type(entry) is not dict:
            continue
        known.add(number)
        for key, there, by_text in links:
            value = entry.get(key)
            if type(value) is int and value in there:
                continue
            meant = _linked(value, there, by_text)
            if meant is None:
                parsed.problems += _unknown(entry, key, there)
            elif type(meant) is not type(value):
                entry = entries[index] = {**entry, key: meant}
                parsed.notes[f"annotations whose {key} is of another type than the id it means"] += 1
        area, score = entry.get("area"), entry.get("score")
        if entry.get("iscrowd") not in (None, 0, 1) or not (_is_number(area) and _is_number(score)):
            parsed.problems += _numbers(entry)
        if len(parsed.problems) == before:
            rows.append(index)
    parsed.content["annotations"] = entries
    _of_one_type(parsed, "annotations", known)
    return rows


def _is_number(value: Any) -> bool:
    """Whether it is a number that can be reckoned with, or nothing."""
    return value is None or (type(value) in NUMBERS and abs(value) < LARGEST)


def _numbers(entry: Mapping[str, Any]) -> list[Problem]:
    """What is wrong with the small numbers of an annotation."""
    found = []
    if entry.get("iscrowd") not in (None, 0, 1):
        said = f"{called(entry)} has iscrowd {shown(entry['iscrowd'])}; it takes 0 or 1"
        found.append(Problem("iscrowd", said))
    for key in ("area", "score"):
        if not _is_number(entry.get(key)):
            said = f"{called(entry)} has the {key} {shown(entry[key])}, which is no number"
            found.append(Problem(key, said))
    return found


@dataclass
class _Texts:
    """Ids by their text, where no two have the same; few files need them."""

    known: Collection[Any]

    @cached_property
    def ids(self) -> dict[str, Any]:
        count = Counter(map(str, self.known))
        return {
            str(number): number for number in self.known if number is not None and count[str(number)] == 1
        }


def _linked(value: Any, known: Mapping[Any, Any], by_text: _Texts) -> Any:
    """The id that a reference means: itself, or the one id that has its text; None where there is none."""
    if not is_id(value):
        return None
    if value in known:
        return value
    return by_text.ids.get(str(value))


def _unknown(entry: Mapping[str, Any], key: str, there: Collection[Any]) -> list[Problem]:
    value = entry.get(key)
    if key == "image_id":
        said = f"{called(entry)} belongs to image {shown(value)}, which the file does not list"
        return [Problem("unknown image", said)]
    # A detector's boxes may be of no category at all.
    if not there and (value is None or is_id(value)):
        return []
    known = ", ".join(map(str, there))
    said = (
        f"{called(entry)} has category {shown(value)}, which the file does not define: {shorten(known, 60)}"
    )
    return [Problem("unknown category", said)]
