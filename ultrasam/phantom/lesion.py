"""Objects in the tissue: what they are made of, and how they are painted into a medium."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ultrasam.phantom.geometry import Array, BeamGrid
from ultrasam.phantom.outline import Outline
from ultrasam.phantom.texture import mottle
from ultrasam.phantom.tissue import Medium


@dataclass(frozen=True)
class Pocket:
    """A part of an object with another echo: a cystic space, a nodule in the wall.

    Attributes:
        outline: may reach out of the object, which cuts it.
        echo: level, dB against average tissue.
    """

    outline: Outline
    echo: float


@dataclass(frozen=True)
class Lesion:
    """An object; levels are dB against average tissue, lengths fractions of the image's side.

    Attributes:
        category: one of ``records.CATEGORIES``.
        outline: its exact border.
        echo: level inside.
        mottle: standard deviation of the level inside.
        blur: width of the border where it is sharpest.
        fading: how much broader the border is where it is hazy; 0 is sharp all around.
        leak: share of the contrast that is lost along a third of the border.
        wall: level of the coherent echo of its border where that faces the beam; None for none.
        wall_width: thickness of that border.
        capsule: change of the diffuse level in a band just outside the border: a bright capsule, dark halo.
        capsule_width: thickness of that band.
        loss: attenuation beyond that of average tissue, dB over the side of the image.
        edge_shadow: loss where the border runs along the beam, in the same unit.
        pockets: parts with another echo.
        flecks: (x, y, radius) of calcifications, which are bright and throw shadows.
        septa: level of thin bright sheets inside; None for none.
    """

    category: str
    outline: Outline
    echo: float
    mottle: float = 1.5
    blur: float = 0.006
    fading: float = 0.0
    leak: float = 0.4
    wall: float | None = None
    wall_width: float = 0.006
    capsule: float = 0.0
    capsule_width: float = 0.015
    loss: float = 0.0
    edge_shadow: float = 0.0
    pockets: tuple[Pocket, ...] = ()
    flecks: tuple[tuple[float, float, float], ...] = ()
    septa: float | None = None


def paint_lesion(lesion: Lesion, medium: Medium, grid: BeamGrid, rng: np.random.Generator) -> None:
    """Writes an object into a medium, in place."""
    margin = lesion.outline.margin(grid.x, grid.y)
    haze = np.clip(0.5 + mottle(rng, grid.x, grid.y, 0.15), 0, 1.5)
    width = np.float32(lesion.blur) * (1 + np.float32(lesion.fading) * haze)
    share = _step(margin / width)
    # About a third of the border loses contrast, in stretches long enough to be told from the object's shape.
    missing = np.clip(2 * mottle(rng, grid.x, grid.y, 0.12) - np.float32(0.6), 0, 1) * np.float32(lesion.leak)
    share *= 1 - missing * np.exp(-np.square(margin / np.float32(0.04)))
    if lesion.capsule:
        band = np.exp(-np.square(margin / np.float32(lesion.capsule_width) + 1))
        medium.echo[...] += np.float32(lesion.capsule) * band * (1 - share)
    inside = _inside(lesion, grid, rng)
    medium.echo[...] += share * (inside - medium.echo)
    # Fasciae end at an object.
    medium.mirror[...] *= 1 - share
    medium.loss[...] += share * np.float32(lesion.loss)
    _paint_wall(lesion, medium, margin, haze)
    for fleck in lesion.flecks:
        _paint_fleck(fleck, medium, grid)


def _step(value: Array) -> Array:
    """A smooth step from 0 to 1 that is 0.5 at 0."""
    t = np.clip(value * np.float32(0.5) + np.float32(0.5), 0, 1)
    return t * t * (3 - 2 * t)


def _inside(lesion: Lesion, grid: BeamGrid, rng: np.random.Generator) -> Array:
    """The level inside of an object on the whole grid, dB."""
    coarse = mottle(rng, grid.x, grid.y, 0.35 * lesion.outline.short + 0.01)
    level = np.float32(lesion.echo) + np.float32(lesion.mottle) * coarse
    for pocket in lesion.pockets:
        depth = pocket.outline.margin(grid.x, grid.y)
        level += _step(depth / np.float32(lesion.blur)) * (np.float32(pocket.echo) - level)
    if lesion.septa is not None:
        sheet = mottle(rng, grid.x, grid.y, 0.9 * lesion.outline.short + 0.02)
        level = np.maximum(level, np.float32(lesion.septa) - np.abs(sheet) * np.float32(160))
    return level


def _paint_wall(lesion: Lesion, medium: Medium, margin: Array, haze: Array) -> None:
    """The coherent echo of the border, and the shadows at its sides, by the angle between border and beam."""
    along, across = np.gradient(margin)
    facing = np.abs(along) / (np.abs(along) + np.abs(across) + np.float32(1e-9))
    near = np.exp(-np.square(margin / np.float32(lesion.wall_width)))
    if lesion.wall is not None:
        broken = np.float32(1) if not lesion.fading else 1 - np.float32(0.5) * haze
        strength = np.float32(10 ** (lesion.wall / 20)) * np.square(facing) * np.clip(broken, 0, 1)
        medium.mirror[...] = np.maximum(medium.mirror, strength * near)
    if lesion.edge_shadow:
        medium.loss[...] += np.float32(lesion.edge_shadow) * near * (facing < 0.25)


def _paint_fleck(fleck: tuple[float, float, float], medium: Medium, grid: BeamGrid) -> None:
    """A calcification: a bright dot that lets little sound through."""
    x, y, radius = (np.float32(v) for v in fleck)
    dot = np.exp(-(np.square(grid.x - x) + np.square(grid.y - y)) / np.square(radius))
    medium.echo[...] += dot * (14 - medium.echo)
    medium.mirror[...] += 4 * dot
    # The shadow is as deep for a small one: it blocks its beams whole.
    medium.loss[...] += dot * np.float32(9) / radius
