"""Irregular closed outlines: the shapes of objects, exact at any resolution."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ultrasam.phantom.geometry import Array

#: Samples of the radius around an outline: a third of a pixel on an object that fills 1024 pixels.
TABLE = 4096
_ANGLES = np.arange(TABLE) * (2 * np.pi / TABLE)
KINDS = ("smooth", "lobulated", "spiculated", "angular", "bent")


@dataclass(frozen=True)
class Outline:
    """A closed curve: a radius for each angle, stretched, bent, turned and moved, in that order.

    Attributes:
        x: center in display coordinates.
        y: the same, downwards.
        long: semi-axis before the radius modulates it, fraction of the image's side.
        short: the other semi-axis.
        angle: of the long axis, radians clockwise from the x axis.
        bend: how far the ends of the long axis lie to one side, in short semi-axes.
        radius: (TABLE,) float32, relative radius by angle, about 1.
    """

    x: float
    y: float
    long: float
    short: float
    angle: float
    bend: float
    radius: NDArray[np.float32]

    def margin(self, x: Array, y: Array) -> Array:
        """How deep points lie inside: about their distance to the border; negative outside.

        Args:
            x: float32 display coordinates, any shape of at most two axes.
            y: the same shape.
        """
        cos, sin = np.float32(np.cos(self.angle)), np.float32(np.sin(self.angle))
        dx, dy = x - np.float32(self.x), y - np.float32(self.y)
        u = (cos * dx + sin * dy) / np.float32(self.long)
        v = (cos * dy - sin * dx) / np.float32(self.short) - np.float32(self.bend) * (u * u - np.float32(0.5))
        rho, phi = cv2.cartToPolar(u, v)
        slot = (phi.reshape(x.shape) * np.float32(TABLE / (2 * np.pi)) + np.float32(0.5)).astype(np.int32)
        border = self.radius[slot & (TABLE - 1)]
        return (border - rho.reshape(x.shape)) * np.float32(np.sqrt(self.long * self.short))

    def mask(self, x: Array, y: Array) -> NDArray[np.bool_]:
        """The points that lie inside, bool of the shape of ``x``."""
        return self.margin(x, y) > 0

    def border(self, count: int = 128) -> tuple[Array, Array]:
        """Display (x, y) of ``count`` points along the curve, two (count,) float32 arrays."""
        slot = np.arange(count) * TABLE // count
        u, v = self.radius[slot] * np.cos(_ANGLES[slot]), self.radius[slot] * np.sin(_ANGLES[slot])
        u, v = u * self.long, (v + self.bend * (u * u - 0.5)) * self.short
        cos, sin = np.cos(self.angle), np.sin(self.angle)
        x, y = self.x + cos * u - sin * v, self.y + sin * u + cos * v
        return x.astype(np.float32), y.astype(np.float32)


def random_outline(
    rng: np.random.Generator,
    kind: str,
    x: float,
    y: float,
    extent: float,
    *,
    stretch: tuple[float, float] = (1.1, 2.0),
    tilt: float = 0.7,
    roughness: float = 1.0,
) -> Outline:
    """Draws an outline.

    Args:
        rng: the random numbers.
        kind: one of ``KINDS``.
        x: center in display coordinates.
        y: the same, downwards.
        extent: geometric mean of the semi-axes, fraction of the image's side.
        stretch: lowest and highest ratio of the axes.
        tilt: standard deviation of the long axis' angle to the horizontal, radians.
        roughness: factor on every irregularity; 0 is an ellipse.
    """
    ratio = rng.uniform(*stretch)
    angle = rng.normal(0, tilt)
    bend = rng.choice([-1, 1]) * (rng.uniform(0.35, 0.7) if kind == "bent" else rng.uniform(0, 0.25))
    radius = _RADII[kind](rng, roughness) + roughness * _harmonics(rng, 6, 20, rng.uniform(0.003, 0.02))
    radius = np.clip(radius / radius.mean(), 0.3, 2.2)
    root = np.sqrt(ratio)
    bend *= roughness
    return Outline(x, y, extent * root, extent / root, angle, bend, radius.astype(np.float32))


def _harmonics(rng: np.random.Generator, low: int, high: int, amount: float) -> NDArray[np.float64]:
    """Waves around the outline with ``low`` to ``high`` periods, finer ones weaker, of about ``amount``."""
    order = np.arange(low, high + 1)
    wave = rng.normal(0, 1, (2, len(order))) / order
    spectrum = np.zeros(TABLE // 2 + 1, np.complex128)
    spectrum[low : high + 1] = (wave[0] + 1j * wave[1]) * (amount * TABLE / 2) / np.sqrt((1 / order**2).sum())
    return np.fft.irfft(spectrum, TABLE)


def _smooth(rng: np.random.Generator, roughness: float) -> NDArray[np.float64]:
    return 1 + roughness * _harmonics(rng, 2, 5, rng.uniform(0.04, 0.11))


def _lobulated(rng: np.random.Generator, roughness: float) -> NDArray[np.float64]:
    """The union of discs, seen from a point that all of them cover."""
    count = rng.integers(3, 6)
    direction = 2 * np.pi * (np.arange(count) + rng.uniform(-0.3, 0.3, count)) / count + rng.uniform(0, 6.28)
    offset = roughness * rng.uniform(0.45, 0.75, count)[:, None]
    disc = rng.uniform(0.78, 1.0, count)[:, None]
    turn = _ANGLES - direction[:, None]
    reach = offset * np.cos(turn) + np.sqrt(disc**2 - (offset * np.sin(turn)) ** 2)
    return _rounded(reach.max(0), 0.06)


def _spiculated(rng: np.random.Generator, roughness: float) -> NDArray[np.float64]:
    """A core with spikes that grow broader to their base."""
    radius = 1 + roughness * _harmonics(rng, 2, 4, 0.08)
    for start in rng.uniform(0, 2 * np.pi, rng.integers(4, 9)):
        away = np.abs((_ANGLES - start + np.pi) % (2 * np.pi) - np.pi)
        radius += roughness * rng.uniform(0.15, 0.5) * np.exp(-away / rng.uniform(0.12, 0.3))
    return _rounded(radius, 0.03)


def _angular(rng: np.random.Generator, roughness: float) -> NDArray[np.float64]:
    """A polygon of few corners, not always convex."""
    count = rng.integers(5, 9)
    corner = 2 * np.pi * (np.arange(count) + rng.uniform(-0.25, 0.25, count)) / count
    radius = 1 + roughness * rng.uniform(-0.35, 0.35, count)
    return _rounded(np.interp(_ANGLES, corner, radius, period=2 * np.pi), 0.1)


def _rounded(radius: NDArray[np.float64], width: float) -> NDArray[np.float64]:
    """A radius smoothed over about ``width`` radians."""
    order = np.fft.rfftfreq(TABLE, 1 / TABLE)
    return np.fft.irfft(np.fft.rfft(radius) * np.exp(-0.5 * (order * width) ** 2), TABLE)


_RADII = {
    "smooth": _smooth,
    "lobulated": _lobulated,
    "spiculated": _spiculated,
    "angular": _angular,
    "bent": _smooth,
}
