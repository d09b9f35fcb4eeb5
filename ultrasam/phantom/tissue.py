"""Background tissue: layers from the probe downwards, each with its own texture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ultrasam.phantom.geometry import Array, BeamGrid
from ultrasam.phantom.texture import mottle, ridges

TEXTURES = ("plain", "fat", "gland", "fibres", "bowel")


@dataclass(frozen=True)
class Layer:
    """A layer of tissue.

    Attributes:
        top: where it starts, beam coordinate of depth.
        echo: mean level, dB against average tissue.
        texture: one of ``TEXTURES``.
        fascia: level of the bright interface on its top, dB; None for none.
        wave: how far its top departs from a constant depth.
        scale: size of the texture against the usual one.
    """

    top: float
    echo: float
    texture: str = "plain"
    fascia: float | None = None
    wave: float = 0.02
    scale: float = 1.0


@dataclass(frozen=True)
class Medium:
    """The acoustic properties on a beam grid; painters write into the arrays.

    Attributes:
        echo: (D, L) float32, level of the diffuse echo, dB.
        mirror: (D, L) float32, amplitude of the coherent echo of interfaces.
        loss: (D, L) float32, attenuation beyond that of average tissue, dB per image side; negative
            where sound passes more easily.
    """

    echo: Array
    mirror: Array
    loss: Array


def paint_layers(layers: tuple[Layer, ...], grid: BeamGrid, rng: np.random.Generator) -> Medium:
    """A medium of layers, the first of which starts at the probe whatever its ``top``."""
    echo = np.zeros_like(grid.x)
    mirror = np.zeros_like(grid.x)
    for index, layer in enumerate(layers):
        level = np.float32(layer.echo) + _texture(layer, grid, rng)
        wave = mottle(rng, grid.x, 0.3 * grid.depth + 0 * grid.x, 0.3) * np.float32(layer.wave)
        height = grid.depth + wave - np.float32(layer.top)
        echo = level if index == 0 else np.where(height > 0, level, echo)
        if layer.fascia is not None:
            # Fasciae are seen in pieces, where they happen to face the beam.
            facing = np.clip(0.6 + 0.6 * mottle(rng, grid.x, grid.y, 0.12, 0.3), 0, 1.3)
            strength = np.float32(10 ** (layer.fascia / 20)) * facing
            mirror += strength * np.exp(-np.square(height * np.float32(1 / 0.006)))
    return Medium(echo.astype(np.float32), mirror.astype(np.float32), np.zeros_like(echo))


def _texture(layer: Layer, grid: BeamGrid, rng: np.random.Generator) -> Array:
    """The departures of a layer from its mean level, dB."""
    s = layer.scale
    # Tissue lies along the layers, and those follow the probe's surface.
    x, y = grid.x, np.float32(0.5) * (grid.y + np.broadcast_to(grid.depth, grid.y.shape))
    if layer.texture == "fat":
        return 9 * ridges(rng, x, y, 0.14 * s, 0.07 * s) + 1.5 * mottle(rng, x, y, 0.05 * s)
    if layer.texture == "gland":
        return 3.5 * mottle(rng, x, y, 0.09 * s, 0.03 * s) + 3 * mottle(rng, x, y, 0.03 * s, 0.015 * s)
    if layer.texture == "fibres":
        return 9 * ridges(rng, x, y, 0.25 * s, 0.025 * s) + 1.5 * mottle(rng, x, y, 0.1 * s, 0.02 * s)
    if layer.texture == "bowel":
        return 4.5 * mottle(rng, x, y, 0.14 * s, 0.08 * s) + 5 * ridges(rng, x, y, 0.2 * s, 0.1 * s)
    return 1.5 * mottle(rng, x, y, 0.12 * s) + 1.2 * mottle(rng, x, y, 0.03 * s)
