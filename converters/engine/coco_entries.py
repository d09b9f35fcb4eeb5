"""The entries of a COCO file's three lists: their fields, their ids, and which belongs to which."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Container, Iterator, Mapping
from typing import Any

from .coco_parsed import Need, Parsed, Problem, called, shown
from .segmentations import NUMBERS

#: Sides and pixels that an image can have.
LONGEST_SIDE, MOST_PIXELS = 65_535, 2**28
#: Bytes of a file's name and of a whole path, as file systems have it.
LONGEST_PART, LONGEST_NAME = 255, 4095


def images(parsed: Parsed, need: Need) -> dict[Any, tuple[int, int] | None]:
    """Look at the images; gives image id -> (H, W), None where it is not known."""
    entries, sizes = list(parsed.content["images"]), dict[Any, Any]()
    for index, entry in enumerate(entries):
        where, number = _identified(parsed, "images", index, entry, sizes)
        message: str | None
        if not isinstance(entry, dict):
            continue
        for kind, message in _image(entry):
            parsed.problems.append(Problem(kind, f"{where} {message}"))
        size: Any = None
        if need >= Need.MASKS or "height" in entry or "width" in entry:
            for key in ("height", "width"):
                value = entry.get(key)
                if type(value) is float and value.is_integer() and abs(value) <= LONGEST_SIDE:
                    entry = entries[index] = {**entry, key: int(value)}
            size = (entry.get("height"), entry.get("width"))
            message = _size(*size)
            if message:
                parsed.problems.append(Problem("incomplete image", f"{where} {message}"))
                size = None
        sizes[number] = size
    parsed.content["images"] = entries
    _of_one_type(parsed, "images", sizes)
    return sizes


def _image(entry: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    name = entry.get("file_name")
    if not isinstance(name, str) or not name.strip("/\\ "):
        yield "incomplete image", f"lacks a valid 'file_name': {shown(name)}"
    elif "\0" in name:
        yield "file name", f"has a file name with a zero in it: {shown(name)}"
    elif len(name) * 4 > LONGEST_PART and _too_long(name):
        yield "file name", f"has a file name of {len(name)} characters, longer than file systems allow"
    for key in ("dataset", "subject", "split"):
        if isinstance(entry.get(key), (list, dict)):
            yield "image", f"has the {key} {shown(entry[key])}; it takes a text"


def _too_long(name: str) -> bool:
    parts = re.split(r"[/\\]", name)
    return len(name.encode()) > LONGEST_NAME or max(len(part.encode()) for part in parts) > LONGEST_PART


def _size(height: Any, width: Any) -> str | None:
    for key, value in (("height", height), ("width", width)):
        if type(value) is not int or value < 1:
            return f"lacks a valid '{key}': {shown(value)}; it takes the image's size in pixels"
        if value > LONGEST_SIDE:
            return f"has the {key} {shown(value)}; {LONGEST_SIDE} pixels are the most"
    if height * width > MOST_PIXELS:
        return f"has {height} x {width} pixels; {MOST_PIXELS} are the most"
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
    if not isinstance(entry, dict):
        parsed.problems.append(
            Problem("entry", f"{part}[{index}] is {shown(entry)}, not an object with fields")
        )
        return "", None
    number = entry.get("id")
    if not is_id(number):
        said = "no id" if number is None else f"the id {shown(number)}; it takes a whole number or a text"
        parsed.problems.append(Problem("bad id", f"{part}[{index}] has {said}"))
        return f"{part}[{index}]", None
    where = f"{what} {shown(number) if isinstance(number, str) else number}"
    if number in known:
        parsed.problems.append(
            Problem("duplicate id", f"the {what} id {number} occurs twice; ids must be unique")
        )
    return where, number


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
    links = (("image_id", sizes, _by_text(sizes)), ("category_id", names, _by_text(names)))
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
                parsed.problems += _unknown(entry, key, bool(there))
            elif type(meant) is not type(value):
                entry = entries[index] = {**entry, key: meant}
                parsed.notes[f"annotations whose {key} is of another type than the id it means"] += 1
        parsed.problems += _numbers(entry)
        if len(parsed.problems) == before:
            rows.append(index)
    parsed.content["annotations"] = entries
    _of_one_type(parsed, "annotations", known)
    return rows


def _numbers(entry: Mapping[str, Any]) -> list[Problem]:
    """What is wrong with the small numbers of an annotation."""
    found = []
    crowd = entry.get("iscrowd")
    if not (crowd is None or (type(crowd) in (int, bool, float) and crowd in (0, 1))):
        found.append(Problem("iscrowd", f"{called(entry)} has iscrowd {shown(crowd)}; it takes 0 or 1"))
    for key in ("area", "score"):
        value = entry.get(key)
        if value is not None and not (type(value) in NUMBERS and abs(value) < 1e18):
            found.append(Problem(key, f"{called(entry)} has the {key} {shown(value)}, which is no number"))
    return found


def _by_text(known: Mapping[Any, Any]) -> dict[str, Any]:
    """Ids by their text, where no two have the same."""
    count = Counter(map(str, known))
    return {str(number): number for number in known if number is not None and count[str(number)] == 1}


def _linked(value: Any, known: Mapping[Any, Any], by_text: Mapping[str, Any]) -> Any:
    """The id that a reference means: itself, or the one id that has its text; None where there is none."""
    if not is_id(value):
        return None
    if value in known:
        return value
    return by_text.get(str(value))


def _unknown(entry: Mapping[str, Any], key: str, any_known: bool) -> list[Problem]:
    value = entry.get(key)
    if key == "image_id":
        said = f"{called(entry)} belongs to image {shown(value)}, which the file does not list"
        return [Problem("unknown image", said)]
    # A detector's boxes may be of no category at all.
    if not any_known and (value is None or is_id(value)):
        return []
    said = f"{called(entry)} has category {shown(value)}, which the file does not define"
    return [Problem("unknown category", said)]
