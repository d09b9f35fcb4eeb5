"""Where beams lie in the image, and scan conversion from beams to pixels.

Display coordinates are fractions of the image's side: x right, y down, (0, 0) the top-left corner of the
top-left pixel. Beam coordinates are the depth along a beam, 0 at the probe and 1 at the end, and the
lateral position across the beams, 0 at the left and 1 at the right. Samples lie in the middle of cells.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


class Fan(Protocol):
    """The field of view of a probe."""

    @property
    def name(self) -> str:
        """One of ``records.GEOMETRIES``."""

    @property
    def wraps(self) -> bool:
        """Whether the last beam is the neighbor of the first."""

    def to_display(self, depth: Array, lateral: Array) -> tuple[Array, Array]:
        """Display (x, y) of beam coordinates; arrays that broadcast against each other."""

    def to_beam(self, x: Array, y: Array) -> tuple[Array, Array]:
        """Beam (depth, lateral) of display coordinates; outside of 0..1 for points out of the fan."""

    def samples(self, size: int) -> tuple[int, int]:
        """Samples along a beam and number of beams that suit an image of ``size`` pixels a side."""


@dataclass(frozen=True)
class Linear:
    """Parallel beams downwards, in a rectangle; all in fractions of the image's side."""

    left: float
    top: float
    width: float
    height: float
    name: str = "linear"
    wraps: bool = False

    def to_display(self, depth: Array, lateral: Array) -> tuple[Array, Array]:
        """See ``Fan``."""
        x, y = np.broadcast_arrays(self.left + self.width * lateral, self.top + self.height * depth)
        return np.ascontiguousarray(x, np.float32), np.ascontiguousarray(y, np.float32)

    def to_beam(self, x: Array, y: Array) -> tuple[Array, Array]:
        """See ``Fan``."""
        return (y - self.top) / self.height, (x - self.left) / self.width

    def samples(self, size: int) -> tuple[int, int]:
        """See ``Fan``."""
        return max(8, round(self.height * size)), max(8, round(self.width * size))


@dataclass(frozen=True)
class Sector:
    """Beams from an arc around a center, symmetric about the downward direction.

    Attributes:
        x: center of the arc, fraction of the image's side.
        y: the same, downwards; negative for a curved array above the image.
        near: radius of the probe's surface.
        far: radius of the deepest sample.
        spread: angle between the middle beam and the outermost one, radians; pi for a full circle.
        name: one of ``records.GEOMETRIES``.
        wraps: see ``Fan``.
    """

    x: float
    y: float
    near: float
    far: float
    spread: float
    name: str = "convex"
    wraps: bool = False

    def to_display(self, depth: Array, lateral: Array) -> tuple[Array, Array]:
        """See ``Fan``."""
        angle = (2 * lateral - 1) * self.spread
        radius = self.near + (self.far - self.near) * depth
        x, y = self.x + radius * np.sin(angle), self.y + radius * np.cos(angle)
        return np.ascontiguousarray(x, np.float32), np.ascontiguousarray(y, np.float32)

    def to_beam(self, x: Array, y: Array) -> tuple[Array, Array]:
        """See ``Fan``."""
        dx, dy = np.broadcast_arrays(np.float32(x - self.x), np.float32(y - self.y))
        radius, angle = cv2.cartToPolar(np.ascontiguousarray(dy), np.ascontiguousarray(dx))
        angle = np.where(angle > np.pi, angle - 2 * np.pi, angle)
        depth = (radius.reshape(dx.shape) - self.near) / (self.far - self.near)
        lateral = (angle.reshape(dx.shape) / self.spread + 1) / 2
        return depth.astype(np.float32), lateral.astype(np.float32)

    def samples(self, size: int) -> tuple[int, int]:
        """See ``Fan``; beams are a pixel apart at two thirds of the radius."""
        arc = 2 * self.spread * (self.near + 0.66 * (self.far - self.near))
        return max(8, round((self.far - self.near) * size)), max(8, round(arc * size))


@dataclass(frozen=True)
class BeamGrid:
    """The samples of all beams: D samples along each of L beams.

    Attributes:
        depth: (D, 1) float32 beam coordinate.
        lateral: (1, L) float32 beam coordinate.
        x: (D, L) float32 display coordinate.
        y: (D, L) float32 display coordinate.
        step: length of a sample along the beam, fraction of the image's side.
    """

    depth: Array
    lateral: Array
    x: Array
    y: Array
    step: float


def beam_grid(fan: Fan, size: int) -> BeamGrid:
    """The samples that a fan takes for an image of ``size`` pixels a side."""
    samples, beams = fan.samples(size)
    depth = _middles(samples)[:, None]
    lateral = _middles(beams)[None]
    x, y = fan.to_display(depth, lateral)
    return BeamGrid(depth, lateral, x, y, step=float(y[1, beams // 2] - y[0, beams // 2]))


def pixel_grid(size: int) -> tuple[Array, Array]:
    """Display (x, y) of the pixel centers, two (size, size) float32 arrays."""
    x, y = np.meshgrid(_middles(size), _middles(size))
    return x, y


def _middles(count: int) -> Array:
    """The middles of ``count`` cells between 0 and 1, (count,) float32."""
    return ((np.arange(count) + 0.5) / count).astype(np.float32)


def scan_convert(values: Array, fan: Fan, size: int) -> tuple[Array, NDArray[np.bool_]]:
    """Brings beam samples to the image.

    Args:
        values: (D, L) float32, one column a beam.
        fan: where the beams lie.
        size: side of the image in pixels.

    Returns:
        (size, size) float32, 0 outside the fan; and (size, size) bool, the pixels inside the fan.
    """
    depth, lateral = fan.to_beam(*pixel_grid(size))
    inside = (depth >= 0) & (depth < 1) & (lateral >= 0) & (lateral <= 1)
    column = lateral * values.shape[1] - 0.5
    if fan.wraps:
        values = np.concatenate([values[:, -1:], values, values[:, :1]], axis=1)
        column = column + 1
    row = depth * values.shape[0] - 0.5
    image = cv2.remap(
        values, np.float32(column), np.float32(row), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return np.where(inside, image, np.float32(0)), inside
