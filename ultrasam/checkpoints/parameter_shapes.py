"""Shapes of parameters, checked before anything is built from them."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from ultrasam.errors import CheckpointError


def shape_of(state: Mapping[str, Tensor], name: str, expected: tuple[int | None, ...]) -> tuple[int, ...]:
    """The shape of a parameter; None stands for any size but 0."""
    shape = tuple(state[name].shape)
    fits = len(shape) == len(expected) and all(
        size > 0 and size == (wanted or size) for size, wanted in zip(shape, expected, strict=True)
    )
    if not fits:
        wanted = ", ".join("any" if size is None else str(size) for size in expected)
        raise CheckpointError(f"{name} is {shape}, where an image encoder has ({wanted})")
    if not state[name].is_floating_point():
        raise CheckpointError(f"the weights are whole numbers in {name}: were they quantized?")
    return shape
