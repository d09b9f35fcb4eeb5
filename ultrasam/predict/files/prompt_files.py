"""Prompts for many images: the same for all, or boxes of a COCO file, such as a detector's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ultrasam.data import coco
from ultrasam.data.boxes import to_xyxy
from ultrasam.errors import DataError, PromptError
from ultrasam.predict.files.file_run import Asked, PromptsOf
from ultrasam.predict.object_prompt import ObjectPrompt


def same_for_all(objects: Sequence[ObjectPrompt]) -> PromptsOf:
    """The same objects on every image."""
    asked = Asked(list(objects), [1] * len(objects))
    return lambda file_name: asked


def from_coco(path: str | Path, min_score: float = 0.0) -> tuple[dict[str, Asked], list[dict[str, Any]]]:
    """The boxes of a COCO file, by file name.

    Args:
        path: a COCO file; its annotations need ``bbox`` (x, y, width, height) and may have ``score``.
        min_score: leave out annotations with a lower score.

    Returns:
        what is asked of each image, and the file's categories.

    Raises:
        DataError: not a COCO file, or a box is malformed; the message names it.
    """
    content = coco.read_json(path)
    by_id = {}
    for entry in content["images"]:
        if "id" not in entry or "file_name" not in entry:
            raise DataError(f"{path}: the image {entry} has no id or no file_name")
        by_id[entry["id"]] = Path(entry["file_name"]).as_posix()
    asked = {name: Asked([], []) for name in by_id.values()}
    for entry in content["annotations"]:
        if float(entry.get("score", 1.0)) < min_score:
            continue
        where = f"{path}: annotation {entry.get('id')}"
        if entry.get("image_id") not in by_id:
            raise DataError(f"{where} belongs to image {entry.get('image_id')}, which the file does not list")
        box = entry.get("bbox")
        if not (isinstance(box, list) and len(box) == 4 and np.isfinite(box).all()):
            raise DataError(f"{where} has no valid bbox (x, y, width, height): {box}")
        row = asked[by_id[entry["image_id"]]]
        row.objects.append(ObjectPrompt(box=to_xyxy(box).tolist()))
        row.categories.append(int(entry.get("category_id", 1)))
    return asked, content["categories"]


def by_name(asked: dict[str, Asked]) -> PromptsOf:
    """Look prompts up by file name; by the last part alone where that is unambiguous."""
    short: dict[str, list[str]] = {}
    for name in asked:
        short.setdefault(Path(name).name, []).append(name)

    def find(file_name: str) -> Asked:
        if file_name in asked:
            return asked[file_name]
        same = short.get(Path(file_name).name, [])
        return asked[same[0]] if len(same) == 1 else Asked([], [])

    return find


def parse_box(text: str) -> ObjectPrompt:
    """``x1,y1,x2,y2`` as an object."""
    return ObjectPrompt(box=_numbers(text, (4,), "a box is x1,y1,x2,y2"))


def parse_points(texts: Sequence[str]) -> tuple[list[list[float]], list[int]]:
    """``x,y`` or ``x,y,label`` each, in continuous pixels, as the points and labels of one object."""
    rows = [_numbers(text, (2, 3), "a point is x,y or x,y,label (1 inside, 0 outside)") for text in texts]
    return [row[:2] for row in rows], [int(row[2]) if len(row) == 3 else 1 for row in rows]


def parse_object(text: str) -> ObjectPrompt:
    """``box=x1,y1,x2,y2 point=x,y point=x,y,0``: everything known of one object.

    Raises:
        PromptError: a part is not of this form.
    """
    box, points = None, []
    for part in text.split():
        key, _, value = part.partition("=")
        if key == "box" and box is None:
            box = parse_box(value).box
        elif key == "point":
            points.append(value)
        else:
            raise PromptError(f"'{part}' in the object '{text}' is not box=x1,y1,x2,y2 or point=x,y,label")
    xy, labels = parse_points(points)
    return ObjectPrompt(xy or None, labels or None, box)


def _numbers(text: str, counts: tuple[int, ...], what: str) -> list[float]:
    try:
        values = [float(v) for v in text.split(",")]
    except ValueError:
        values = []
    if len(values) not in counts:
        raise PromptError(f"'{text}' is not understood: {what}")
    return values
