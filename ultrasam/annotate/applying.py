"""What becomes of a frame's objects when somebody edits them: pure functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from pycocotools import mask as coco_mask

from ultrasam.annotate import strokes
from ultrasam.annotate.edits import Answer, Edit
from ultrasam.annotate.objects import AnnotatedObject, Objects, Rle
from ultrasam.errors import DataError


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
        edit: from `edits.parse`.
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
        old = AnnotatedObject(new_id, edit.category, strokes.empty(size), track=new_id)
    else:
        old = next((entry for entry in objects if entry.id == edit.object), None)  # type: ignore[assignment]
        if old is None:
            raise DataError(f"this frame has no object {edit.object}: it may have been deleted meanwhile")
    if edit.kind == "delete":
        return tuple(entry for entry in objects if entry.id != edit.object)
    new = _changed(old, edit, size, answer)
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


def _changed(
    old: AnnotatedObject, edit: Edit, size: tuple[int, int], answer: Answer | None
) -> AnnotatedObject:
    if edit.kind == "class":
        return replace(old, category=edit.category)
    if edit.kind == "accept_suggestion":
        if old.source != "suggested":
            raise DataError(f"object {old.id} is no suggestion")
        return replace(old, source="prompt")
    if edit.kind == "candidate":
        if not 0 <= edit.candidate < len(old.candidates):
            raise DataError(f"object {old.id} has {len(old.candidates)} candidates, not {edit.candidate + 1}")
        return replace(_chosen(old, edit.candidate), quality=None)
    if edit.kind == "brush":
        mask = strokes.drawn(old.mask, edit, 0 if edit.erase else 1)
        kept = strokes.added(old.strokes, edit, size)
        new = replace(old, mask=mask, strokes=kept, iou=None, quality=None, candidates=(), candidate=0)
        return replace(new, source="brush", drift=False)
    assert answer is not None
    found = tuple(replace(one, mask=strokes.over(old.strokes, one.mask)) for one in answer.candidates)
    new = _chosen(replace(old, prompt=edit.prompt, candidates=found, drift=False), answer.best)
    new = replace(new, quality=None if new.strokes else answer.quality)
    return new if len(found) > 1 else replace(new, candidates=(), candidate=0)


def _chosen(entry: AnnotatedObject, number: int) -> AnnotatedObject:
    """An object with one of its candidates; of what was painted over it the model is not sure."""
    chosen = entry.candidates[number]
    sure = None if entry.strokes else chosen.iou
    source = "brush" if entry.strokes else "prompt"
    return replace(entry, candidate=number, mask=chosen.mask, iou=sure, source=source)  # type: ignore[arg-type]
