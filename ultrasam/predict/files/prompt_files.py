"""Prompts for many images: the same for all, or those of a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ultrasam.data import coco
from ultrasam.data.boxes import to_xyxy
from ultrasam.data.formats import prompts as prompt_tables
from ultrasam.errors import DataError, PromptError
from ultrasam.predict.files.frame_work import Asked, PromptsOf
from ultrasam.predict.object_prompt import ObjectPrompt


def same_for_all(objects: Sequence[ObjectPrompt]) -> PromptsOf:
    """The same objects on every image."""
    asked = Asked(list(objects), [1] * len(objects))
    return lambda file_name: asked


def from_file(path: str | Path, min_score: float = 0.0) -> tuple[dict[str, Asked], list[dict[str, Any]]]:
    """The prompts of a file: COCO, or a table or JSON of boxes and points, which its content says.

    Args:
        path: the file.
        min_score: leave out COCO annotations with a lower score.

    Returns:
        what is asked of each image, and the file's categories.

    Raises:
        DataError: it is none of these, or a prompt is malformed; the message names it.
    """
    prompts = prompt_tables.read(Path(path))
    if prompts is None:
        return from_coco(path, min_score)
    asked: dict[str, Asked] = {}
    ids: dict[str, int] = {}
    for prompt in prompts:
        row = asked.setdefault(prompt.file, Asked([], []))
        row.objects.append(ObjectPrompt(prompt.points or None, prompt.labels or None, prompt.box))
        row.categories.append(ids.setdefault(prompt.label, len(ids) + 1))
    return asked, [{"id": number, "name": name} for name, number in ids.items()]


def from_coco(path: str | Path, min_score: float = 0.0) -> tuple[dict[str, Asked], list[dict[str, Any]]]:
    """The boxes of a COCO file, by file name.

    Args:
        path: a COCO file; its annotations need ``bbox`` (x, y, width, height) and may have ``score``.
        min_score: leave out annotations with a lower score.

    Returns:
        what is asked of each image, and the file's categories.

    Raises:
        DataError: not a COCO file, or a box is malformed or empty; the message names it.
    """
    content = coco.read(path, coco.Need.BOXES).content
    name_of = {entry["id"]: entry["file_name"] for entry in content["images"]}
    asked = {name: Asked([], []) for name in name_of.values()}
    for entry in content["annotations"]:
        if entry.get("score") is not None and entry["score"] < min_score:
            continue
        if min(entry["bbox"][2:]) <= 0:
            raise DataError(
                f"{path}: annotation {entry['id']} has an empty box (x, y, width, height): "
                f"{entry['bbox']}; correct it, or leave it out"
            )
        row = asked[name_of[entry["image_id"]]]
        row.objects.append(ObjectPrompt(box=to_xyxy(entry["bbox"]).tolist()))
        row.categories.append(entry.get("category_id", 1))
    return asked, content["categories"]


def by_name(asked: Mapping[str, Asked], inputs: Sequence[str]) -> PromptsOf:
    """Look prompts up by file name, as `converters.engine.names` matches names to files.

    Args:
        asked: what is asked of each image, by its name.
        inputs: the names of all inputs.

    Raises:
        PromptError: a name with prompts fits several inputs, or several names one input.
    """
    matched = coco.match([name for name in asked if asked[name].objects], inputs)
    if matched.ambiguous:
        name, fits = next(iter(matched.ambiguous.items()))
        raise PromptError(
            f"'{name}' of the prompt file can't be told apart: {' and '.join(map(repr, fits[:3]))} fit "
            f"({len(matched.ambiguous)} such names); give inputs and file names with their folders"
        )
    name_of = {file: name for name, file in matched.found.items()}
    nothing = Asked([], [])
    return lambda file_name: asked[name_of[file_name]] if file_name in name_of else nothing


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
