"""Where objects lie: inside the field of view, apart from each other."""

from __future__ import annotations

import numpy as np

from ultrasam.phantom.geometry import Fan
from ultrasam.phantom.lesion import Lesion
from ultrasam.phantom.makers import Maker

_ATTEMPTS = 40


def place(
    rng: np.random.Generator,
    fan: Fan,
    makers: tuple[Maker, ...],
    count: int,
    *,
    extent: tuple[float, float],
    depth: tuple[float, float],
    lateral: tuple[float, float] = (0.12, 0.88),
) -> tuple[Lesion, ...]:
    """Draws objects that do not overlap; fewer than asked for where there is no room.

    Args:
        rng: the random numbers.
        fan: the field of view; one object in ten may be cut by its edge.
        makers: kinds of object, drawn with equal chance.
        count: number of objects asked for.
        extent: lowest and highest mean radius, fractions of the image's side, log-uniform.
        depth: range of the centers, beam coordinate.
        lateral: the same across the beams.

    Returns:
        At least one object.
    """
    placed: list[Lesion] = []
    for attempt in range(_ATTEMPTS * count):
        # A fan too narrow for large objects takes smaller ones.
        shrink = 0.98 ** (attempt % _ATTEMPTS)
        size = shrink * float(np.exp(rng.uniform(*np.log(extent))))
        at = _at(fan, rng.uniform(*depth), rng.uniform(*lateral))
        lesion = makers[rng.integers(len(makers))](rng, *at, size)
        least = 0.75 if rng.random() < 0.1 else 1.0
        if _visible(lesion, fan) >= least and not any(_touch(lesion, other) for other in placed):
            placed.append(lesion)
        if len(placed) == count:
            break
    if not placed:
        middle = _at(fan, 0.5, 0.5)
        placed.append(makers[0](rng, *middle, 0.05))
    return tuple(placed)


def _at(fan: Fan, depth: float, lateral: float) -> tuple[float, float]:
    """Display (x, y) of one point in beam coordinates."""
    x, y = fan.to_display(np.full(1, depth, np.float32), np.full(1, lateral, np.float32))
    return float(x[0]), float(y[0])


def _visible(lesion: Lesion, fan: Fan) -> float:
    """The share of an object's outline that lies in the field of view."""
    x, y = lesion.outline.border(96)
    depth, lateral = fan.to_beam(x, y)
    in_fan = (depth > 0.015) & (depth < 0.985) & (lateral > 0.01) & (lateral < 0.99)
    return float(np.mean(in_fan & (x > 0.01) & (x < 0.99) & (y > 0.01) & (y < 0.99)))


def _touch(a: Lesion, b: Lesion, gap: float = 0.012) -> bool:
    """Whether two objects overlap or come closer than ``gap``."""
    return bool(
        (b.outline.margin(*a.outline.border(256)) > -gap).any()
        or (a.outline.margin(*b.outline.border(256)) > -gap).any()
    )
