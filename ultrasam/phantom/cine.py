"""Simulated cines: moving tissue whose speckle moves along and changes, with exact masks in every frame."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from ultrasam.phantom import scenes
from ultrasam.phantom.artifacts import noise_level
from ultrasam.phantom.geometry import Array, BeamGrid, beam_grid, pixel_grid, scan_convert
from ultrasam.phantom.lesion import Lesion, paint_lesion
from ultrasam.phantom.movement import MOTIONS, draw_movement
from ultrasam.phantom.simulate import echoes, scanner
from ultrasam.phantom.speckle import received
from ultrasam.phantom.tissue import paint_layers

#: Frames a second.
RATE = 20.0
#: Streams of random numbers of one cine; those of single images have numbers below 4.
_SCENE, _MOVEMENT, _TEXTURE, _SPECKLE, _NOISE, _LESION = range(10, 16)
#: Organs that beat, for cines that show that, as often as they stand here.
_BEATING = ("heart", "heart", "heart", "neck", "liver")


@dataclass(frozen=True)
class CineFrame:
    """One frame of a cine.

    Attributes:
        image: (H, W) uint8.
        masks: (H, W) bool of each object, empty where it can't be seen.
    """

    image: NDArray[np.uint8]
    masks: tuple[NDArray[np.bool_], ...]


class Cine:
    """Cine ``index`` of the endless set ``seed``: any frame of it, a pure function of the arguments.

    Args:
        seed: which set, 0 or more.
        index: which cine of the set, 0 or more.
        frames: how many frames, at least 2; the movement of ``leaving`` is spread over them.
        size: side of the square image, pixels, at least 32.
        motion: one of ``MOTIONS``; they alternate by index if None.

    Attributes:
        categories: of each object.
        motion: one of ``MOTIONS``.
        organ: the kind of scene.
        geometry: of the probe.

    Raises:
        ValueError: on an unknown motion, a negative seed or index, too few frames or too small an image.
    """

    def __init__(
        self, seed: int, index: int, *, frames: int = 48, size: int = 256, motion: str | None = None
    ) -> None:
        if motion is not None and motion not in MOTIONS:
            raise ValueError(f"unknown motion {motion!r}; there are {', '.join(MOTIONS)}")
        if frames < 2 or size < 32:
            raise ValueError(f"a cine has 2 frames and 32 pixels a side or more, not {frames} and {size}")
        self.motion = motion or MOTIONS[index % len(MOTIONS)]
        self._key, self._frames, self._size = (seed, index), frames, size
        rng = self._stream(_SCENE)
        organ = str(rng.choice(_BEATING)) if self.motion == "beating" else None
        self.organ, self._scene = scenes.draw(rng, organ)
        self._scanner = scanner(rng)
        self._movement = draw_movement(self._stream(_MOVEMENT), self._scene, self.motion, frames / RATE)
        self._grid = beam_grid(self._scene.fan, size)
        self._grains = self._draw_grains()

    @property
    def categories(self) -> tuple[str, ...]:
        """The category of each object."""
        return tuple(lesion.category for lesion in self._scene.lesions)

    @property
    def geometry(self) -> str:
        """The kind of probe."""
        return self._scene.fan.name

    def __len__(self) -> int:
        return self._frames

    def __iter__(self) -> Iterator[CineFrame]:
        return (self[number] for number in range(self._frames))

    def __getitem__(self, number: int) -> CineFrame:
        """A frame."""
        if not 0 <= number < self._frames:
            raise IndexError(f"the cine has frames 0 to {self._frames - 1}, not {number}")
        time = number / RATE
        lesions = self._lesions(time)
        samples = self._scan(lesions, number, time)
        values, inside = scan_convert(samples, self._scene.fan, self._size)
        x, y = self._movement.seen(*pixel_grid(self._size), time)
        empty = np.zeros((self._size, self._size), dtype=bool)
        masks = tuple(empty if lesion is None else lesion.outline.mask(x, y) & inside for lesion in lesions)
        return CineFrame((values + np.float32(0.5)).astype(np.uint8), masks)

    def _stream(self, *which: int) -> np.random.Generator:
        return np.random.default_rng((*self._key, *which))

    def _lesions(self, time: float) -> list[Lesion | None]:
        """The objects as the plane cuts them."""
        sizes = self._movement.sizes(len(self._scene.lesions), time)
        return [_section(lesion, size) for lesion, size in zip(self._scene.lesions, sizes, strict=True)]

    def _scan(self, lesions: Sequence[Lesion | None], number: int, time: float) -> Array:
        """The gray levels along the beams, (D, L) float32 0..255."""
        grid, tissue = self._grid, self._tissue(time)
        textures = self._stream(_TEXTURE)
        medium = paint_layers(self._scene.layers, tissue, textures)
        for which, lesion in enumerate(lesions):
            if lesion is not None:
                # Numbers of its own: one that is away does not change how the others look.
                paint_lesion(lesion, medium, tissue, self._stream(_LESION, which))
        echo, mirror = echoes(medium, grid, self._scene.artifacts, textures)
        psf, looks, display = self._scanner
        noise = noise_level(grid, self._scene.artifacts)[..., None]
        fresh, power = self._stream(_NOISE, number), np.zeros_like(echo)
        for grains in self._grains:
            field = self._seen_grains(grains, tissue, time) * echo[..., None]
            field += noise * fresh.standard_normal(field.shape, dtype=np.float32)
            power += received(field, mirror, psf.scaled(self._size / 256), wraps=self._scene.fan.wraps)
        return display.gray(np.sqrt(power / looks))

    def _tissue(self, time: float) -> BeamGrid:
        """The samples of all beams, by where their tissue is in the scene."""
        x, y = self._movement.seen(self._grid.x, self._grid.y, time)
        depth, lateral = self._scene.fan.to_beam(x, y)
        return replace(self._grid, depth=depth, lateral=lateral, x=x, y=y)

    def _draw_grains(self) -> list[tuple[Array, Array]]:
        """The scatterers of the tissue, for each look of two neighboring slices, (D, L, 2) float32."""
        rng, shape = self._stream(_SPECKLE), (*self._grid.x.shape, 2)
        looks = self._scanner[1]
        return [
            (rng.standard_normal(shape, dtype=np.float32), rng.standard_normal(shape, dtype=np.float32))
            for _ in range(looks)
        ]

    def _seen_grains(self, grains: tuple[Array, Array], tissue: BeamGrid, time: float) -> Array:
        """The scatterers that each sample has now, (D, L, 2) float32, of unit variance."""
        depth, beams = grains[0].shape[:2]
        row, column = tissue.depth * depth - np.float32(0.5), tissue.lateral * beams - np.float32(0.5)
        turn = self._movement.slice.at(time)
        mixed = np.float32(np.cos(turn)) * grains[0] + np.float32(np.sin(turn)) * grains[1]
        seen = cv2.remap(mixed, column, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
        # Interpolation takes power away, by where between four scatterers a sample lies.
        kept = _kept_power(row) * _kept_power(column)
        return seen / np.sqrt(kept)[..., None]


def _kept_power(place: Array) -> Array:
    part = place - np.floor(place)
    return (1 - part) ** 2 + part**2


def _section(lesion: Lesion, size: float) -> Lesion | None:
    """An object cut where it is ``size`` times as large as in its middle; None where it is not cut."""
    if size == 0:
        return None
    outline = lesion.outline
    return replace(lesion, outline=replace(outline, long=size * outline.long, short=size * outline.short))
