"""What a user does to the objects of a frame, checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ultrasam.annotate.objects import Calipers, Candidate, Prompt, as_calipers, is_caliper
from ultrasam.errors import PromptError

#: Edits that need an answer of the model.
ASKING = ("add", "prompt")
_OF_AN_OBJECT = ("prompt", "candidate", "class", "delete", "accept_suggestion")
KINDS = (
    *ASKING,
    *("candidate", "brush", "class", "delete", "clear", "accept_suggestion", "calipers", "undo", "redo"),
)
#: More than anybody clicks, or draws in one stroke.
_MAX_POINTS, _MAX_STROKE, _MAX_RADIUS, _MAX_CALIPERS = 200, 20000, 2000.0, 200


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
        said = (
            "points outside of it alone do not say where an object is"
            if labels
            else "nothing says where it is"
        )
        raise PromptError(f"{said}: click inside of it, or draw a box")
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
