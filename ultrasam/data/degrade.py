"""What a cheap or badly set scanner does to an image: for robustness tests and as training augmentation.

Every kind works on a finished, log-compressed B-mode image, so it is an approximation of what happens in
the scanner: lines are taken for columns although a convex probe's are not, and lengths are relative to the
longest side (given for 256 pixels). Black around the sector stays black. Objects stay where they are, so
masks and prompts need no change.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from ultrasam.errors import UltraSamError

Image = NDArray[np.uint8]
Degradation = Callable[[Image, float, np.random.Generator], Image]

#: Sides of the image for which lengths below are given.
_SIDE = 256


def degrade(image: Image, kind: str, strength: float, rng: np.random.Generator) -> Image:
    """A worse copy of an image.

    Args:
        image: (H, W) or (H, W, 3) uint8.
        kind: one of `KINDS`.
        strength: from 0, which changes nothing, to 1, at which large objects can still be made out.
        rng: the random numbers.

    Returns:
        uint8 of the same shape.

    Raises:
        UltraSamError: unknown kind, strength out of range, or not such an image.
    """
    if kind not in KINDS:
        raise UltraSamError(f"unknown degradation {kind!r}; there are {', '.join(KINDS)}")
    if not 0 <= strength <= 1:
        raise UltraSamError(f"a degradation's strength is from 0 to 1, got {strength}")
    if image.dtype != np.uint8 or image.ndim not in (2, 3) or image.size == 0:
        raise UltraSamError(
            f"an image to degrade is (H, W) or (H, W, 3) uint8, got {image.shape} {image.dtype}"
        )
    if strength == 0:
        return image.copy()
    if image.ndim == 3 and (image == image[:, :, :1]).all():
        # Nearly all ultrasound is gray, and one channel takes a third of the time.
        gray = KINDS[kind](np.ascontiguousarray(image[:, :, 0]), strength, rng)
        return np.repeat(gray[:, :, None], image.shape[2], axis=2)
    return KINDS[kind](image, strength, rng)


def downsample(image: Image, strength: float, rng: np.random.Generator) -> Image:
    """A display of fewer pixels: shrunk by up to 5 and enlarged again."""
    factor = 1 + 4 * strength
    return _enlarge(cv2.resize(image, _size(image, factor, factor), interpolation=cv2.INTER_AREA), image)


def speckle(image: Image, strength: float, rng: np.random.Generator) -> Image:
    """Multiplicative noise with the grain of speckle (wider than deep), deviation up to 0.35 of the gray."""
    factor = 1 + np.float32(0.35 * strength) * _grain(image, rng, 1.2, 0.6)
    return _clip(image * _channels(factor, image))


def noise(image: Image, strength: float, rng: np.random.Generator) -> Image:
    """Electronic noise, louder with depth by the time-gain compensation: up to 15 to 45 gray levels."""
    depth = np.linspace(15, 45, image.shape[0], dtype=np.float32)[:, None]
    added = np.float32(strength) * depth * _grain(image, rng, 0.5, 0.3)
    return _clip(image + _channels(added * _sector(image), image))


def lines(image: Image, strength: float, rng: np.random.Generator) -> Image:
    """Fewer scan lines: up to seven of eight are left out and interpolated from their neighbors.

    The full number of lines is taken to be one a pixel of an image of 256.
    """
    count = max(2, _size(image, (1 + 7 * strength) * max(1.0, _scale(image)), 1)[0])
    cells = image.shape[1] / count
    columns = ((np.arange(count) + 0.5) * cells + rng.uniform(-0.25, 0.25) * cells).astype(int)
    return _enlarge(np.ascontiguousarray(image[:, columns.clip(0, image.shape[1] - 1)]), image)


def gain(image: Image, strength: float, rng: np.random.Generator) -> Image:
    """A wrong overall gain and time-gain compensation, and a wrong dynamic range.

    Up to 40 gray levels brighter or darker in all and 40 more from the middle to top and bottom, the contrast
    up to halved or doubled; directions and shares are drawn.
    """
    overall = rng.choice([-1, 1]) * rng.uniform(0.6, 1)
    slope, contrast = rng.uniform(-1, 1, 2)
    depth = np.linspace(-1, 1, image.shape[0], dtype=np.float32)[:, None]
    shift = np.float32(40 * strength) * (np.float32(overall) + np.float32(slope) * depth)
    more = (image.astype(np.float32) - 64) * np.float32(2 ** (strength * contrast) - 1)
    change: NDArray[np.float32] = _channels(_sector(image), image) * (more + _channels(shift, image))
    return _clip(image + change)


def blur(image: Image, strength: float, rng: np.random.Generator) -> Image:
    """A lower frequency and a wider beam: Gaussian, up to 4 pixels across and 2 in depth."""
    scale = _scale(image) * strength
    return cv2.GaussianBlur(image, (0, 0), sigmaX=max(4 * scale, 0.05), sigmaY=max(2 * scale, 0.05))


def portable(image: Image, strength: float, rng: np.random.Generator) -> Image:
    """All of them, each at half strength: a plain hand-held probe."""
    half = strength / 2
    for step in (blur, lines, speckle, noise, gain, downsample):
        image = step(image, half, rng)
    return image


#: Name -> function of (image, strength, generator).
KINDS: dict[str, Degradation] = {
    "downsample": downsample,
    "speckle": speckle,
    "noise": noise,
    "lines": lines,
    "gain": gain,
    "blur": blur,
    "portable": portable,
}


def _scale(image: Image) -> float:
    return max(image.shape[:2]) / _SIDE


def _size(image: Image, across: float, deep: float) -> tuple[int, int]:
    """(width, height) of an image shrunk by two factors."""
    return max(1, round(image.shape[1] / across)), max(1, round(image.shape[0] / deep))


def _enlarge(small: Image, image: Image) -> Image:
    shape = (image.shape[1], image.shape[0])
    return cv2.resize(small, shape, interpolation=cv2.INTER_LINEAR).reshape(image.shape)


def _channels(field: NDArray[np.float32], image: Image) -> NDArray[np.float32]:
    """A field (H, W) for an image with or without channels."""
    return field[..., None] if image.ndim == 3 else field


def _clip(values: NDArray[np.floating]) -> Image:
    return np.rint(values).clip(0, 255).astype(np.uint8)


def _grain(image: Image, rng: np.random.Generator, across: float, deep: float) -> NDArray[np.float32]:
    """Gaussian noise of deviation 1 with correlation lengths in pixels of an image of 256, (H, W)."""
    white = rng.standard_normal(image.shape[:2], dtype=np.float32)
    scale = _scale(image)
    smooth = cv2.GaussianBlur(white, (0, 0), sigmaX=max(across * scale, 0.1), sigmaY=max(deep * scale, 0.1))
    return smooth / max(float(smooth.std()), 1e-6)


def _sector(image: Image) -> NDArray[np.float32]:
    """1 where the scanner shows tissue, 0 in the black around it, (H, W), soft border."""
    gray = image if image.ndim == 2 else image.max(axis=2)
    side = 2 * round(8 * _scale(image)) + 1
    mean = cv2.blur(gray.astype(np.float32), (side, side))
    return ((mean - 2) / 4).clip(0, 1)
