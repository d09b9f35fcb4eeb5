"""What a scanner burns into the image: calipers, text, a depth ruler, a gray bar."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ultrasam.phantom.geometry import Array

_WORDS = (
    "LT 3",
    "RT 10H",
    "DER",
    "IZQ",
    "TRANS",
    "LONG",
    "SAG",
    "MI 0.8",
    "12L5",
    "FR 32",
    "2D 60%",
    "D 18.2mm",
)


def draw(
    image: NDArray[np.uint8], borders: list[tuple[Array, Array]], rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Burns random marks into an image, in place; about half of the images stay without.

    Args:
        image: (H, W) or (H, W, 3) uint8.
        borders: display (x, y) along the outline of each object, which calipers may measure.
        rng: the random numbers; what is asked of it does not depend on the image's size.

    Returns:
        The same image.
    """
    calipers, text, ruler, bar = rng.random(4) < (0.2, 0.25, 0.25, 0.15)
    if calipers:
        _calipers(image, borders[rng.integers(len(borders))], rng)
    if text:
        for _ in range(rng.integers(1, 4)):
            _text(image, rng)
    if ruler:
        _ruler(image, rng)
    if bar:
        _gray_bar(image)
    return image


def _color(image: NDArray[np.uint8], gray: int = 235) -> tuple[int, ...]:
    return (gray, gray, 60) if image.ndim == 3 else (gray,)


def _calipers(image: NDArray[np.uint8], border: tuple[Array, Array], rng: np.random.Generator) -> None:
    """Crosses at the ends of one or both diameters of an object, sometimes joined by a dotted line."""
    side, count = len(image), len(border[0])
    arm = max(2, side // 64)
    first = int(rng.integers(count // 2))
    dotted = rng.random() < 0.4
    for start in (first, first + count // 4)[: rng.integers(1, 3)]:
        ends = [
            (float(border[0][k % count]), float(border[1][k % count])) for k in (start, start + count // 2)
        ]
        for x, y in ends:
            at = (int(x * side), int(y * side))
            cv2.drawMarker(image, at, _color(image), cv2.MARKER_CROSS, 2 * arm + 1, max(1, side // 400))
        if dotted:
            for t in np.linspace(0, 1, 16):
                x, y = ((1 - t) * a + t * b for a, b in zip(*ends, strict=True))
                cv2.circle(image, (int(x * side), int(y * side)), side // 512, _color(image), -1)


def _text(image: NDArray[np.uint8], rng: np.random.Generator) -> None:
    """A word, mostly at the margin of the image."""
    side = len(image)
    word = _WORDS[rng.integers(len(_WORDS))]
    x, y = rng.uniform(0.02, 0.75), rng.choice([rng.uniform(0.03, 0.1), rng.uniform(0.85, 0.98)])
    at = (int(x * side), int(y * side))
    scale = side / 256 * rng.uniform(0.25, 0.4)
    cv2.putText(
        image, word, at, cv2.FONT_HERSHEY_SIMPLEX, scale, _color(image), max(1, side // 400), cv2.LINE_AA
    )


def _ruler(image: NDArray[np.uint8], rng: np.random.Generator) -> None:
    """Ticks of depth at the left or right margin."""
    side = len(image)
    x = int(side * rng.choice([0.015, 0.975]))
    for index, y in enumerate(np.arange(0.05, 0.98, rng.uniform(0.04, 0.1))):
        length = max(1, side // (50 if index % 5 == 0 else 100))
        cv2.line(
            image, (x, int(y * side)), (x + length, int(y * side)), _color(image, 200), max(1, side // 400)
        )


def _gray_bar(image: NDArray[np.uint8]) -> None:
    """The gray map at the left margin."""
    side = len(image)
    height, left, width = side // 3, side // 64, max(1, side // 64)
    ramp = np.linspace(255, 0, height).astype(np.uint8)[:, None]
    top = side // 10
    part = image[top : top + height, left : left + width]
    part[...] = ramp[:, :, None] if image.ndim == 3 else ramp
