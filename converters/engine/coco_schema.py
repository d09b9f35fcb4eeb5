"""What a COCO file must be, for everybody who reads one: one reader, one set of rules.

What is wrong makes a file unusable, and `Parsed.problems` names it. What tools write in other ways and can
only mean one thing is taken, and `Parsed.notes` counts it: flat polygons, an `image_id` "1" of image 1,
categories without a name. Numbers written as text are refused: nothing says how they are to be read.
"""

from __future__ import annotations

from pathlib import Path

from . import coco_entries, coco_shapes
from .coco import read_json
from .coco_parsed import Coco, Need, Parsed
from .errors import ConverterError

LISTS = ("images", "annotations", "categories")


def read(path: Path, need: Need = Need.ENTRIES) -> Coco:
    """Read a COCO file for use.

    Raises:
        ConverterError: It is missing, no COCO file, or something in it is wrong.
    """
    return parse(path, need).usable(path)


def parse(path: Path, need: Need) -> Parsed:
    """Read a COCO file and look at it.

    Raises:
        ConverterError: It is missing or no COCO file at all.
    """
    content = read_json(path)
    missing = [
        key for key in LISTS if not isinstance(content, dict) or not isinstance(content.get(key), list)
    ]
    if missing:
        raise ConverterError(f"{path} is not a COCO file: no list of {', '.join(missing)} in it")
    return examine(content, need)


def examine(content: Coco, need: Need) -> Parsed:
    """Look at the content of a COCO file that has its lists. What has to be changed is changed in a copy."""
    parsed = Parsed({**content})
    sizes = coco_entries.images(parsed, need)
    names = coco_entries.categories(parsed)
    rows = coco_entries.objects(parsed, sizes, names)
    if need >= Need.BOXES:
        boxes = coco_shapes.boxes(parsed, rows)
        if need >= Need.MASKS:
            coco_shapes.masks(parsed, rows, boxes, sizes)
        else:
            coco_shapes.refuse_fractions(parsed, boxes)
    return parsed
