"""What is asked of a file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ultrasam.predict.object_prompt import ObjectPrompt


@dataclass(frozen=True)
class Asked:
    """What is asked of one image: prompts, and the category of each object.

    Attributes:
        objects: the prompts.
        categories: an id for each.
        frame: of a clip whose objects are followed, the one that the prompts are of.
    """

    objects: list[ObjectPrompt]
    categories: list[Any]
    frame: int = 0


#: The prompts of a file, by its name relative to the input.
PromptsOf = Callable[[str], Asked]
