"""The classes of a session: as the page sends them, and what may become of those that there are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, cast

from ultrasam.annotate.objects import Label
from ultrasam.errors import DataError, PromptError

_MAX_CLASSES, _MAX_NAME = 200, 100


def parse_labels(classes: Any) -> list[Label]:
    """Classes as the page sends them."""
    if not isinstance(classes, list) or not 0 < len(classes) <= _MAX_CLASSES:
        raise PromptError(f"classes are a list of 1 to {_MAX_CLASSES}")
    labels = []
    for entry in classes:
        name, color = (entry.get(key) for key in ("name", "color")) if isinstance(entry, dict) else ("", "")
        if not isinstance(name, str) or not 0 < len(name.strip()) <= _MAX_NAME or not name.isprintable():
            raise PromptError(f"a class has a name of 1 to {_MAX_NAME} characters")
        is_color = isinstance(color, str) and len(color) == 7 and color[0] == "#"
        if not is_color or not all(c in "0123456789abcdef" for c in cast("str", color)[1:].lower()):
            raise PromptError(f"the color of '{name}' is #rrggbb")
        labels.append(Label(name.strip(), cast("str", color)))
    if len({label.name for label in labels}) < len(labels):
        raise PromptError("two classes have the same name")
    return labels


def changed(before: Sequence[Label], after: Sequence[Label], used: Iterable[int]) -> list[Label]:
    """Classes renamed, recolored and added, in their order; the last may be left out if no object has them.

    Args:
        before: the classes that there are.
        after: those that there shall be.
        used: indices of classes that objects have.

    Raises:
        DataError: another class is gone, or one that is used.
    """
    names = [label.name for label in before]
    if len(after) < len(names) and [label.name for label in after] != names[: len(after)]:
        raise DataError("only the last classes can be removed, and none renamed at the same time")
    removed = [number for number in used if number >= len(after)]
    if removed:
        raise DataError(f"the class '{names[removed[0]]}' has objects, so it can't be removed")
    categories = [label.category for label in before] + [None] * len(after)
    return [replace(label, category=category) for label, category in zip(after, categories, strict=False)]
