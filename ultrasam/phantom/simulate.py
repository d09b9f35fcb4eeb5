"""One simulated image from a seed and an index."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ultrasam.phantom import overlays, scenes
from ultrasam.phantom.artifacts import (
    Artifacts,
    add_near_field,
    add_side_lobes,
    gain,
    noise_level,
    path_loss,
    reverberate,
)
from ultrasam.phantom.display import Display
from ultrasam.phantom.geometry import Array, BeamGrid, beam_grid, pixel_grid, scan_convert
from ultrasam.phantom.lesion import paint_lesion
from ultrasam.phantom.phantom import Phantom, PhantomObject
from ultrasam.phantom.speckle import Psf, envelope
from ultrasam.phantom.tissue import Medium, paint_layers

#: Streams of random numbers of one image, kept apart so that what one asks for does not shift another.
_SCENE, _TEXTURE, _SPECKLE, _OVERLAY = range(4)


def simulate(
    seed: int,
    index: int,
    *,
    size: int = 256,
    organ: str | None = None,
    marks: bool = True,
    color: bool = False,
) -> Phantom:
    """Simulates image ``index`` of the endless set ``seed``: a pure function of its arguments.

    The objects, tissue and artifacts are the same at every size; resolution and speckle grow with the image.

    Args:
        seed: which set, 0 or more.
        index: which image of the set, 0 or more.
        size: side of the square image, pixels, at least 32.
        organ: one of ``ORGANS``; drawn by their usual frequencies if None.
        marks: burn calipers, text and rulers into about half of the images.
        color: return RGB, with colored calipers and sometimes a tinted image.

    Returns:
        The image with the exact masks of its objects, at least one.

    Raises:
        ValueError: on an unknown organ, a negative seed or index, or too small an image.
    """
    if organ is not None and organ not in scenes.ORGANS:
        raise ValueError(f"unknown organ {organ!r}; there are {', '.join(scenes.ORGANS)}")
    if size < 32:
        raise ValueError(f"a phantom has at least 32 pixels a side, not {size}")
    streams = [np.random.default_rng((seed, index, stream)) for stream in range(4)]
    name, scene = scenes.draw(streams[_SCENE], organ)
    values, inside = render(scene, size, streams)
    image = (values + np.float32(0.5)).astype(np.uint8)
    objects = _objects(scene, inside, size)
    if color:
        image = _tinted(image, streams[_OVERLAY])
    if marks:
        borders = [lesion.outline.border() for lesion in scene.lesions]
        image = overlays.draw(image, borders, streams[_OVERLAY])
    return Phantom(image, objects, scene.fan.name, name)


def render(
    scene: scenes.Scene, size: int, streams: list[np.random.Generator]
) -> tuple[Array, NDArray[np.bool_]]:
    """The image of a scene.

    Args:
        scene: what to scan.
        size: side of the image, pixels.
        streams: random numbers for the scene's scanner, textures, speckle and marks, in that order.

    Returns:
        (size, size) float32 gray levels, 0..255; and (size, size) bool, the pixels inside the fan.
    """
    grid = beam_grid(scene.fan, size)
    medium = paint_layers(scene.layers, grid, streams[_TEXTURE])
    for lesion in scene.lesions:
        paint_lesion(lesion, medium, grid, streams[_TEXTURE])
    samples = _scan(medium, grid, scene, size, streams)
    return scan_convert(samples, scene.fan, size)


def _scan(
    medium: Medium, grid: BeamGrid, scene: scenes.Scene, size: int, streams: list[np.random.Generator]
) -> Array:
    """The gray levels along the beams, (D, L) float32 0..255."""
    psf, looks, display = scanner(streams[_SCENE])
    echo, mirror = echoes(medium, grid, scene.artifacts, streams[_TEXTURE])
    # Electronic noise is as strong wherever sound went, and as fine as the echo after filtering.
    echo = np.hypot(echo, noise_level(grid, scene.artifacts))
    signal = envelope(
        streams[_SPECKLE], echo, mirror, psf.scaled(size / 256), looks=looks, wraps=scene.fan.wraps
    )
    return display.gray(signal)


def echoes(
    medium: Medium, grid: BeamGrid, artifacts: Artifacts, rng: np.random.Generator
) -> tuple[Array, Array]:
    """The amplitudes of the diffuse and the coherent echo, all that happens on the way in, (D, L) float32."""
    change = gain(grid, artifacts, rng) - path_loss(medium.loss, grid, artifacts)
    factor = cv2.exp(np.float32(change * (np.log(10) / 20)))
    echo = cv2.exp(medium.echo * np.float32(np.log(10) / 20)) * factor
    echo = reverberate(add_side_lobes(echo, grid, artifacts), artifacts)
    return echo, add_near_field(medium.mirror * factor, grid, artifacts)


def scanner(rng: np.random.Generator) -> tuple[Psf, int, Display]:
    """Resolution (for 256 pixels a side), compounding and gray map of a scanner."""
    focus = rng.uniform(0.7, 1.4)
    psf = Psf(
        axial=rng.uniform(0.5, 0.85),
        near=focus * rng.uniform(1.1, 1.6),
        focus=focus,
        far=focus * rng.uniform(1.3, 2.2),
        focal_depth=rng.uniform(0.3, 0.6),
    )
    black = rng.uniform(-36, -24)
    display = Display(black, span=rng.uniform(15, 26) - black, gamma=rng.uniform(1.0, 1.7))
    return psf, int(rng.integers(1, 5)), display


def _objects(scene: scenes.Scene, inside: NDArray[np.bool_], size: int) -> tuple[PhantomObject, ...]:
    """The exact masks: outlines at the pixel centers, cut by the field of view."""
    x, y = pixel_grid(size)
    found = [PhantomObject(lesion.category, lesion.outline.mask(x, y) & inside) for lesion in scene.lesions]
    return tuple(item for item in found if item.mask.any())


def _tinted(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """The image in RGB, in one of four toned with a color map as some scanners do."""
    tint = (1.0, 0.86, 0.7) if rng.random() < 0.25 else (1.0, 1.0, 1.0)
    return (image[..., None] * np.array(tint, np.float32)).astype(np.uint8)
