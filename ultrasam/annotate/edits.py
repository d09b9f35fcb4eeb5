"""What a user does to the objects of a frame, checked, and what becomes of the objects: pure functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import cv2
import numpy as np
from pycocotools import mask as coco_mask

from ultrasam.annotate.objects import (
    AnnotatedObject,
    Calipers,
    Candidate,
    Objects,
    Prompt,
    Rle,
    as_calipers,
    is_caliper,
)
from ultrasam.data import coco
from ultrasam.errors import DataError, PromptError

#: Edits that need an answer of the model.
ASKING = ("add", "prompt")
_OF_AN_OBJECT = ("prompt", "candidate", "class", "delete", "accept_suggestion")
KINDS = (
    *ASKING,
    *("candidate", "brush", "class", "delete", "clear", "accept_suggestion", "calipers", "undo", "redo"),
)
#: More than anybody clicks, or draws in one stroke.
_MAX_POINTS, _MAX_STROKE, _MAX_RADIUS, _MAX_CALIPERS = 200, 20000, 2000.0, 200
#: cv2's fixed-point places have so many bits behind the point, and it fills circles wider by so many parts.
_SHIFT, _WIDER = 4, 6


@dataclass(frozen=True)
class Edit:
    """One act of a user, checked; what its kind does not need is left as it is here.

    Attributes:
        kind: one of `KINDS`.
        object: id of the object that is meant.
        category: index of a class.
        prompt: box and points.
        candidate: number of a candidate.
        stroke: (K, 2) xy of a brush, continuous pixels.
        radius: of the brush, pixels.
        erase: take away instead of adding.
        calipers: all of the frame.
    """

    kind: str
    object: int | None = None
    category: int = 0
    prompt: Prompt = field(default_factory=Prompt)
    candidate: int = 0
    stroke: np.ndarray | None = None
    radius: float = 1.0
    erase: bool = False
    calipers: Calipers | None = None


@dataclass(frozen=True)
class Answer:
    """The masks that the model finds for a prompt: one, or several of which ``best`` is taken.

    ``quality`` is the expected IoU of that one, where the weights say what predicted IoU is worth.
    """

    candidates: tuple[Candidate, ...]
    best: int = 0
    quality: float | None = None


def parse(content: Any, size: tuple[int, int], classes: int) -> Edit:
    """An edit as the page sends it.

    Args:
        content: a mapping with ``kind`` and what belongs to it.
        size: (H, W) of the frame.
        classes: how many there are.

    Raises:
        PromptError: it makes no sense; the message says why.
    """
    if not isinstance(content, Mapping) or content.get("kind") not in KINDS:
        raise PromptError(f"an edit is one of {', '.join(KINDS)}")
    kind = content["kind"]
    number = content.get("object")
    if kind in _OF_AN_OBJECT or number is not None:
        number = _whole(number, "the object")
    edit = Edit(kind, number)
    if kind in ("add", "class") or (kind == "brush" and number is None):
        edit = replace(edit, category=check_class(content.get("class"), classes))
    if kind in ASKING:
        edit = replace(edit, prompt=_prompt(content, size))
    if kind == "candidate":
        edit = replace(edit, candidate=_whole(content.get("candidate"), "the candidate"))
    if kind == "calipers":
        edit = replace(edit, calipers=_calipers(content.get("calipers"), size))
    if kind == "brush":
        edit = replace(edit, **_brush(content, size))
        if edit.erase and number is None:
            raise PromptError("the eraser needs an object to erase from")
    return edit


def apply(
    objects: Objects,
    edit: Edit,
    size: tuple[int, int],
    *,
    new_id: int,
    answer: Answer | None = None,
    seconds: float = 0.0,
    measure: Callable[[Rle], Mapping[str, float] | None] = lambda mask: None,
) -> Objects:
    """The objects of a frame after an edit; undo and redo are `FrameHistory`'s.

    Args:
        objects: before it.
        edit: from `parse`.
        size: (H, W) of the frame.
        new_id: of the object that is made, if one is.
        answer: of the model, where the edit asks it.
        seconds: that the user took.
        measure: sizes in mm of a mask.

    Raises:
        DataError: the object or candidate does not exist.
    """
    if edit.kind == "clear":
        return ()
    if edit.kind == "calipers":
        return objects
    if edit.kind == "add" or (edit.kind == "brush" and edit.object is None):
        blank = AnnotatedObject(
            new_id, edit.category, coco.compress([np.array([size[0] * size[1]])], size)[0]
        )
        old = replace(blank, track=new_id)
    else:
        old = next((entry for entry in objects if entry.id == edit.object), None)  # type: ignore[assignment]
        if old is None:
            raise DataError(f"this frame has no object {edit.object}: it may have been deleted meanwhile")
    if edit.kind == "delete":
        return tuple(entry for entry in objects if entry.id != edit.object)
    new = _changed(old, edit, answer)
    if edit.kind == "brush" and edit.erase and not coco_mask.area(dict(new.mask)):
        # Nothing is left of it.
        return tuple(entry for entry in objects if entry.id != edit.object)
    if edit.kind != "class":
        new = replace(new, clicks=old.clicks + 1, seconds=old.seconds + seconds)
    if new.mask is not old.mask:
        new = sized(new, measure)
    if old in objects:
        return tuple(new if entry is old else entry for entry in objects)
    return (*objects, new)


def sized(entry: AnnotatedObject, measure: Callable[[Rle], Mapping[str, float] | None]) -> AnnotatedObject:
    """An object whose mask is new, with its area and its sizes in mm."""
    return replace(entry, area=int(coco_mask.area(dict(entry.mask))), measured=measure(entry.mask))


def _changed(old: AnnotatedObject, edit: Edit, answer: Answer | None) -> AnnotatedObject:
    if edit.kind == "class":
        return replace(old, category=edit.category)
    if edit.kind == "accept_suggestion":
        if old.source != "suggested":
            raise DataError(f"object {old.id} is no suggestion")
        return replace(old, source="prompt")
    if edit.kind == "candidate":
        if not 0 <= edit.candidate < len(old.candidates):
            raise DataError(f"object {old.id} has {len(old.candidates)} candidates, not {edit.candidate + 1}")
        chosen = old.candidates[edit.candidate]
        return replace(
            old, candidate=edit.candidate, mask=chosen.mask, iou=chosen.iou, quality=None, source="prompt"
        )
    if edit.kind == "brush":
        mask = painted(old.mask, edit)
        return replace(
            old, mask=mask, iou=None, quality=None, candidates=(), candidate=0, source="brush", drift=False
        )
    assert answer is not None
    found = answer.candidates[answer.best]
    return replace(
        old,
        mask=found.mask,
        prompt=edit.prompt,
        iou=found.iou,
        quality=answer.quality,
        candidates=answer.candidates if len(answer.candidates) > 1 else (),
        candidate=answer.best,
        source="prompt",
        drift=False,
    )


def painted(mask: Rle, edit: Edit) -> Rle:
    """A mask with a stroke of the brush added or taken away: the pixels whose centers it covers."""
    assert edit.stroke is not None
    # Decoded masks lie in memory by columns: turned, they are as OpenCV wants them, and nothing is copied.
    pixels = coco_mask.decode(dict(mask)).T
    # OpenCV's places are pixel centers.
    places = np.rint((edit.stroke[:, ::-1] - 0.5) * 2**_SHIFT).astype(np.int32)
    value = 0 if edit.erase else 1
    width = max(round(2 * edit.radius), 1)
    if len(places) > 1:
        cv2.polylines(pixels, [places], False, value, width, shift=_SHIFT)
    # Thin lines have no round ends, and a stroke of one place is no line.
    for x, y in places[[0, -1]].tolist():
        cv2.circle(pixels, (x, y), max(round(edit.radius * 2**_SHIFT) - _WIDER, 1), value, -1, shift=_SHIFT)
    return coco.encode(pixels.T)


def _prompt(content: Mapping[str, Any], size: tuple[int, int]) -> Prompt:
    points = _places(content.get("points") or [], "the points", _MAX_POINTS)
    labels = content.get("labels") or []
    if not isinstance(labels, Sequence) or any(label not in (0, 1) for label in labels):
        raise PromptError("labels are 1 for inside and 0 for outside")
    if len(labels) != len(points):
        raise PromptError(f"there are {len(points)} points and {len(labels)} labels")
    height, width = size
    outside = (points < 0).any(axis=1) | (points > (width, height)).any(axis=1)
    if outside.any():
        x, y = points[outside][0]
        raise PromptError(f"the point ({x:g}, {y:g}) lies outside the image of {width} x {height}")
    box = None if content.get("box") is None else _box(content["box"], width, height)
    if box is None and 1 not in labels:
        raise PromptError("an object needs a box, or a point inside it")
    return Prompt(box, tuple((float(x), float(y)) for x, y in points), tuple(int(v) for v in labels))


def _box(content: Any, width: int, height: int) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = _places([content[:2], content[2:]] if _is_list(content, 4) else None, "a box", 2).ravel()
    x1, x2 = (float(np.clip(x, 0, width)) for x in sorted((x1, x2)))
    y1, y2 = (float(np.clip(y, 0, height)) for y in sorted((y1, y2)))
    if x2 - x1 < 1 or y2 - y1 < 1:
        raise PromptError(f"the box ({x1:g}, {y1:g}, {x2:g}, {y2:g}) holds less than a pixel of the image")
    return x1, y1, x2, y2


def _calipers(content: Any, size: tuple[int, int]) -> Calipers:
    if not isinstance(content, list) or len(content) > _MAX_CALIPERS or not all(map(is_caliper, content)):
        raise PromptError(f"calipers are at most {_MAX_CALIPERS} lists of four numbers x1, y1, x2, y2")
    found = as_calipers(content)
    height, width = size
    ends = np.array(found).reshape(-1, 2)
    if (ends < 0).any() or (ends > (width, height)).any():
        raise PromptError(f"a caliper lies outside the image of {width} x {height}")
    return found


def _brush(content: Mapping[str, Any], size: tuple[int, int]) -> dict[str, Any]:
    stroke = _places(content.get("points"), "the stroke", _MAX_STROKE)
    radius = content.get("radius")
    if isinstance(radius, bool) or not isinstance(radius, (int, float)) or not 0 < radius <= _MAX_RADIUS:
        raise PromptError(f"the brush's radius is above 0 and at most {_MAX_RADIUS:g} pixels, not {radius}")
    if not len(stroke):
        raise PromptError("the stroke has no points")
    far = 2 * _MAX_RADIUS
    if (stroke < -far).any() or (stroke > (size[1] + far, size[0] + far)).any():
        raise PromptError("the stroke lies far outside the image")
    return {"stroke": stroke, "radius": float(radius), "erase": bool(content.get("erase", False))}


def _places(content: Any, what: str, most: int) -> np.ndarray:
    """(K, 2) finite numbers."""
    if not isinstance(content, Sequence) or isinstance(content, str) or len(content) > most:
        raise PromptError(f"{what} must be a list of at most {most} places x, y")
    if not all(_is_list(place, 2) and all(_is_number(v) for v in place) for place in content):
        raise PromptError(f"{what} must be places x, y, in numbers")
    places = np.array(content, dtype=np.float64).reshape(-1, 2)
    if not np.isfinite(places).all():
        raise PromptError(f"{what} must be finite numbers")
    return places


def _is_list(content: Any, length: int) -> bool:
    return isinstance(content, Sequence) and not isinstance(content, str) and len(content) == length


def _is_number(value: Any) -> bool:
    # Whole numbers of JSON have any length; what is no float is no place.
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e9


def _whole(value: Any, what: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise PromptError(f"{what} must be a whole number, not {value!r:.40}")
    return value


def check_class(value: Any, classes: int) -> int:
    """The index of one of so many classes.

    Raises:
        PromptError: it is none.
    """
    number = _whole(value, "the class")
    if not 0 <= number < classes:
        raise PromptError(f"there is no class {number}: there are {classes}")
    return number
