"""What is annotated: prompts, objects, the objects of a frame; as values, and as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ultrasam.predict.object_prompt import ObjectPrompt
from ultrasam.report.draw import COLORS

#: COCO's compressed run-length code with text counts: ``{"size": [H, W], "counts": text}``.
Rle = Mapping[str, Any]
#: What an object's mask comes from; ``suggested`` ones are no labels until they are accepted.
Origin = Literal["prompt", "brush", "propagated", "imported", "suggested"]
#: What is done with an image.
STATES = ("todo", "accepted", "skipped")


@dataclass(frozen=True)
class ItemState:
    """What is done with an image, and whether somebody shall look at it again."""

    state: str = "todo"
    flagged: bool = False


@dataclass(frozen=True)
class Prompt:
    """What a user has said of an object, in continuous pixels of its image.

    Attributes:
        box: x1, y1, x2, y2, or None.
        points: x, y each.
        labels: 1 inside, 0 outside, for each point.
    """

    box: tuple[float, float, float, float] | None = None
    points: tuple[tuple[float, float], ...] = ()
    labels: tuple[int, ...] = ()

    def __bool__(self) -> bool:
        return self.box is not None or bool(self.points)

    @property
    def ambiguous(self) -> bool:
        """Whether it is one click inside and nothing else, which may mean a part or the whole."""
        return self.box is None and self.labels == (1,)

    def for_model(self) -> ObjectPrompt:
        """The same for a predictor."""
        points = [list(point) for point in self.points]
        return ObjectPrompt(points or None, list(self.labels) or None, self.box and list(self.box))

    def to_json(self) -> dict[str, Any]:
        """As the page and the files have it."""
        return {
            "box": self.box and list(self.box),
            "points": [list(point) for point in self.points],
            "labels": list(self.labels),
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Prompt:
        """The inverse of `to_json`."""
        box = content.get("box")
        x1, y1, x2, y2 = box or (0, 0, 0, 0)
        points = tuple((float(x), float(y)) for x, y in content.get("points") or ())
        labels = tuple(int(label) for label in content.get("labels") or ())
        return cls((float(x1), float(y1), float(x2), float(y2)) if box else None, points, labels)


@dataclass(frozen=True)
class Candidate:
    """One of several masks that a prompt may mean, with its predicted IoU."""

    mask: Rle
    iou: float

    def to_json(self) -> dict[str, Any]:
        """As the page and the journal have it."""
        return {"mask": self.mask, "iou": self.iou}


@dataclass(frozen=True)
class Strokes:
    """What was painted into an object's mask and erased from it, whatever the model says of the rest.

    Attributes:
        painted: pixels that belong to it; None for none.
        erased: pixels that do not.
    """

    painted: Rle | None = None
    erased: Rle | None = None

    def __bool__(self) -> bool:
        return self.painted is not None or self.erased is not None


@dataclass(frozen=True)
class AnnotatedObject:
    """One object of a frame.

    Attributes:
        id: unique among all objects of the session, never used again.
        category: index into the session's classes; ``class`` in JSON.
        mask: of the whole image.
        prompt: what the user said of it.
        iou: predicted by the model; None where no model made the mask.
        candidates: all masks of a single click; empty for other prompts.
        candidate: which of them is the mask.
        source: what the mask comes from.
        strokes: of the brush and the eraser, which outlast new prompts.
        detected: how sure a detector was that there is such an object; None where none proposed it.
        drift: whether propagation does not trust it.
        area: pixels of the mask.
        measured: ``area_mm2``, ``long_mm``, ``short_mm`` where the spacing is known.
        clicks: edits that made it what it is.
        seconds: that they took.
        track: the same for one object in all frames of a clip; the id of the first of them.
        imported: the COCO annotation that it was read from; its unknown fields are written again.
        quality: expected IoU of the mask that the model took, where the weights tell it.
    """

    id: int
    category: int
    mask: Rle
    prompt: Prompt = field(default_factory=Prompt)
    iou: float | None = None
    candidates: tuple[Candidate, ...] = ()
    candidate: int = 0
    source: Origin = "prompt"
    strokes: Strokes = field(default_factory=Strokes)
    detected: float | None = None
    drift: bool = False
    area: int = 0
    measured: Mapping[str, float] | None = None
    clicks: int = 0
    seconds: float = 0.0
    track: int = 0
    imported: Mapping[str, Any] | None = None
    quality: float | None = None

    def to_json(self) -> dict[str, Any]:
        """As the page has it."""
        return {
            "id": self.id,
            "class": self.category,
            **self.prompt.to_json(),
            "mask": self.mask,
            "iou": self.iou,
            "quality": self.quality,
            "candidates": [candidate.to_json() for candidate in self.candidates],
            "candidate": self.candidate,
            "source": self.source,
            "detected": self.detected,
            "drift": self.drift,
            "area": self.area,
            "measured": self.measured,
            "clicks": self.clicks,
            "seconds": round(self.seconds, 2),
            "track": self.track,
        }

    def stored(self) -> dict[str, Any]:
        """As the journal has it: all there is."""
        rest = {"imported": self.imported, "painted": self.strokes.painted, "erased": self.strokes.erased}
        return self.to_json() | {key: value for key, value in rest.items() if value is not None}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> AnnotatedObject:
        """The inverse of `stored`."""
        return cls(
            int(content["id"]),
            int(content["class"]),
            content["mask"],
            Prompt.from_json(content),
            content["iou"],
            tuple(Candidate(entry["mask"], entry["iou"]) for entry in content["candidates"]),
            int(content["candidate"]),
            content["source"],
            Strokes(content.get("painted"), content.get("erased")),
            content.get("detected"),
            bool(content["drift"]),
            int(content["area"]),
            content["measured"],
            int(content["clicks"]),
            float(content["seconds"]),
            int(content["track"]),
            content.get("imported"),
            content.get("quality"),
        )


#: The objects of a frame, in the order of their making.
Objects = tuple[AnnotatedObject, ...]
#: Lengths that were measured in a frame: x1, y1, x2, y2 each, in continuous pixels.
Calipers = tuple[tuple[float, float, float, float], ...]


@dataclass(frozen=True)
class Label:
    """A class of objects.

    Attributes:
        name: its name.
        color: ``#rrggbb``.
        category: its entry in the COCO file that it was read from.
    """

    name: str
    color: str
    category: Mapping[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        """As the page has it."""
        return {"name": self.name, "color": self.color}


def as_calipers(content: Any) -> Calipers:
    """Calipers of a file; what is none is left out."""
    rows = content if isinstance(content, list) else []
    return tuple(tuple(float(v) for v in row) for row in rows if is_caliper(row))  # type: ignore[misc]


def is_caliper(row: Any) -> bool:
    """Whether it is four numbers."""
    return (
        isinstance(row, (list, tuple))
        and len(row) == 4
        and all(isinstance(v, (int, float)) and not isinstance(v, bool) and abs(v) < 1e9 for v in row)
    )


def color_of(number: int) -> str:
    """A color for the class of this number, told apart from its neighbors by everybody."""
    return "#{:02x}{:02x}{:02x}".format(*COLORS[number % len(COLORS)])
