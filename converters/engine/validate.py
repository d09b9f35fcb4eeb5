"""``data check``: everything that is wrong with a COCO file, and what readers take for what.

What makes a reader refuse a file is in `coco_schema`; here it is listed, together with what concerns image
files and what fits badly though it can be read.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from . import coco_schema
from .coco_parsed import Coco, Need, Parsed, Problem, called
from .errors import ConverterError
from .header import PictureError, other_size, read_header
from .names import locate
from .split import record_of, split_by_subject


def check(coco: Coco, images: Path | None) -> list[Problem]:
    """The problems that `inspect` finds."""
    return inspect(coco, images).problems


def inspect(coco: Coco, images: Path | None) -> Parsed:
    """Look at a COCO file for training and testing and, where a folder is given, at the image files it names.

    Found are, beside what makes its readers refuse it: images that are missing, unreadable or of another
    size, empty masks and boxes, areas and boxes that contradict the mask, and a file without images or
    annotations.
    """
    missing = [key for key in coco_schema.LISTS if not isinstance(coco.get(key), list)]
    if missing:
        return Parsed(coco, [Problem("missing part", f"the file has no list {key!r}") for key in missing])
    parsed = coco_schema.examine(coco, Need.MASKS)
    for part in ("images", "annotations"):
        if not coco[part]:
            parsed.problems.append(Problem(f"no {part}", f"the file lists no {part[:-1]}"))
    if len(parsed.areas):
        _annotations(parsed)
    _crowds(parsed)
    if not parsed.problems:
        _sides(parsed)
    _images(parsed, images)
    parsed.notes = +parsed.notes
    return parsed


def _annotations(parsed: Parsed) -> None:
    """What is readable and yet wrong with the masks and boxes that could be read."""
    annotations = parsed.content["annotations"]
    for row in np.flatnonzero(parsed.areas == 0).tolist():
        parsed.problems.append(
            Problem("empty mask", f"{called(annotations[row])} has a mask without a pixel")
        )
    for row in np.flatnonzero(parsed.areas > 0).tolist():
        entry, area = annotations[row], float(parsed.areas[row])
        box, mask = np.array(entry["bbox"], float), parsed.mask_boxes[row]
        if (box[2:] <= 0).any():
            parsed.problems.append(Problem("empty box", f"{called(entry)} has the bbox {entry['bbox']}"))
        elif np.abs(np.r_[box[:2] - mask[:2], box[:2] + box[2:] - mask[:2] - mask[2:]]).max() > 1:
            parsed.notes["boxes more than a pixel off their mask"] += not parsed.contradictory[row]
        given = entry.get("area")
        if given is not None and isinstance(entry["segmentation"], dict) and abs(given - area) > 0.5:
            said = f"{called(entry)} has the area {given:g}, its mask {area:g} pixels"
            parsed.problems.append(Problem("area", said))
    for number, row in enumerate(np.flatnonzero(parsed.contradictory).tolist()):
        entry, mask = annotations[row], parsed.mask_boxes[row].tolist()
        said = f"{called(entry)} has the bbox {entry['bbox']}, its mask {mask}"
        said += "" if number else f": {parsed.contradiction}"
        parsed.problems.append(Problem("box", said))


def _crowds(parsed: Parsed) -> None:
    entries = [entry for entry in parsed.content["annotations"] if isinstance(entry, dict)]
    crowds = sum(bool(entry.get("iscrowd")) for entry in entries)
    if crowds:
        use = "all of them, so they are used" if crowds == len(entries) else "left out of training and scores"
        parsed.notes[f"crowd annotations (iscrowd 1), {use}"] = crowds


def _sides(parsed: Parsed) -> None:
    """Whether the images' own split can be kept."""
    try:
        split_by_subject([record_of(image) for image in parsed.content["images"]], {})
    except ConverterError as error:
        parsed.problems.append(Problem("split", str(error)))


def _images(parsed: Parsed, folder: Path | None) -> None:
    entries = [
        e for e in parsed.content["images"] if isinstance(e, dict) and isinstance(e.get("file_name"), str)
    ]
    twice = Counter(entry["file_name"] for entry in entries)
    parsed.notes["images whose file another image has, too"] += sum(n for n in twice.values() if n > 1)
    if folder is None:
        return
    paths, ambiguous = locate(folder, twice)
    turned = respelled = 0
    for entry in entries:
        name = entry["file_name"]
        where = f"image {entry.get('id')} ({name})"
        path = paths.get(name)
        if path is None:
            fits = f"; {' and '.join(map(repr, ambiguous[name][:3]))} fit" if name in ambiguous else ""
            said = f"{where}: {folder / name} does not exist{fits}"
            parsed.problems.append(Problem("missing image", said))
            continue
        respelled += path != folder / name
        message, is_turned = _size(path, entry)
        turned += is_turned
        if message:
            parsed.problems.append(Problem(message[0], f"{where} {message[1]}"))
    if respelled:
        parsed.notes["images found under another spelling of their name"] = respelled
    if turned:
        parsed.notes["images with an EXIF orientation, read upright"] = turned


def _size(path: Path, entry: dict[str, Any]) -> tuple[tuple[str, str] | None, bool]:
    """What is wrong with an image file by its header, and whether its pixels lie turned in it."""
    try:
        with path.open("rb") as file:
            header = read_header(file)
    except (PictureError, OSError) as error:
        return ("unreadable image", f"can't be read: {error}"), False
    if not header.whole:
        return ("unreadable image", "is cut off"), False
    height, width = entry.get("height"), entry.get("width")
    reason = ""
    if type(height) is int and type(width) is int:  # what is no size is told of the entry
        reason = other_size(header, header.size, (height, width))
    return (("size", reason) if reason else None), header.orientation > 1
