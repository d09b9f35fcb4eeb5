"""Prompts and masks drawn on an image, to look at."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

#: RGB, told apart by people with any kind of color vision (Okabe and Ito 2008).
COLORS = ((230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (204, 121, 167), (213, 94, 0))
WHITE = (255, 255, 255)
#: What the drawings mean, in words.
LEGEND = "Tint and solid line: predicted mask. White dashes: the true outline."
#: Longer side that small images are enlarged to, and that the text is made for.
_SIDE = 512


def overlay(
    image: np.ndarray,
    masks: Sequence[np.ndarray],
    *,
    targets: Sequence[np.ndarray] = (),
    points: Sequence[np.ndarray | None] = (),
    labels: Sequence[np.ndarray | None] = (),
    boxes: Sequence[np.ndarray | None] = (),
    captions: Sequence[str] = (),
) -> np.ndarray:
    """Draw predicted masks (tint and outline), true outlines (white, dashed), points and boxes.

    Args:
        image: (H, W, 3) uint8 RGB.
        masks: predicted (H, W) bool, an own color each.
        targets: annotated (H, W) bool.
        points: (2,) or (K, 2) xy in the image for each mask, or None.
        labels: (K,) for each mask, 0 draws a cross for a point outside the object; None draws dots.
        boxes: (4,) xyxy in the image for each mask, or None.
        captions: a short text for each mask.

    Returns:
        (H', W', 3) uint8 RGB, at least 512 pixels wide or high.
    """
    zoom = max(1.0, _SIDE / max(image.shape[:2]))
    size = round(image.shape[1] * zoom), round(image.shape[0] * zoom)
    canvas = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
    thickness = max(1, round(max(size) / 400))
    for i, mask in enumerate(masks):
        color = COLORS[i % len(COLORS)]
        large = cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_LINEAR_EXACT) > 0
        _tint(canvas, large, color)
        cv2.drawContours(canvas, _contours(large), -1, color, thickness, cv2.LINE_AA)
    for mask in targets:
        large = cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_LINEAR_EXACT) > 0
        _dashed(canvas, _contours(large), thickness)
    for i, box in enumerate(boxes):
        if box is not None:
            x1, y1, x2, y2 = (round(float(v) * zoom) for v in box)
            cv2.rectangle(canvas, (x1, y1), (x2, y2), COLORS[i % len(COLORS)], thickness, cv2.LINE_AA)
    for i, several in enumerate(points):
        if several is not None:
            kinds = labels[i] if i < len(labels) else None
            _dots(canvas, np.atleast_2d(several) * zoom, kinds, COLORS[i % len(COLORS)], thickness)
    for i, caption in enumerate(captions):
        _text(canvas, caption, i, COLORS[i % len(COLORS)], 0.65)
    return canvas


def beside(pictures: Sequence[np.ndarray], titles: Sequence[str]) -> np.ndarray:
    """Pictures (H, W, 3) of one size side by side, each under its title."""
    columns = []
    for picture, title in zip(pictures, titles, strict=True):
        strip = np.zeros((round(0.08 * picture.shape[1]), *picture.shape[1:]), dtype=np.uint8)
        _text(strip, title, 0, WHITE, 1.0)
        columns.append(np.concatenate([strip, picture]))
    return np.concatenate(columns, axis=1)


def _tint(canvas: np.ndarray, mask: np.ndarray, color: tuple[int, int, int]) -> None:
    """Mix a color in by tables, since the mix itself would be numbers of eight bytes for each pixel."""
    tables = (0.72 * np.arange(256)[:, None] + 0.28 * np.array(color)).astype(np.uint8)
    x, y, width, height = cv2.boundingRect(mask.view(np.uint8))
    if width:
        part = canvas[y : y + height, x : x + width]
        inside = mask[y : y + height, x : x + width].view(np.uint8)
        part[:] = cv2.copyTo(cv2.LUT(part, tables[None]), inside, part.copy())


def _dots(
    canvas: np.ndarray,
    points: np.ndarray,
    labels: np.ndarray | None,
    color: tuple[int, int, int],
    thickness: int,
) -> None:
    for number, (x, y) in enumerate(points):
        at = round(float(x)), round(float(y))
        if labels is not None and int(labels[number]) == 0:
            cv2.drawMarker(canvas, at, (0, 0, 0), cv2.MARKER_TILTED_CROSS, 9 * thickness, 3 * thickness)
            cv2.drawMarker(canvas, at, color, cv2.MARKER_TILTED_CROSS, 8 * thickness, thickness)
        else:
            cv2.circle(canvas, at, 4 * thickness, (0, 0, 0), -1, cv2.LINE_AA)
            cv2.circle(canvas, at, 3 * thickness, color, -1, cv2.LINE_AA)


def _contours(mask: np.ndarray) -> list[np.ndarray]:
    return list(cv2.findContours(mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)[0])


def _dashed(canvas: np.ndarray, contours: Sequence[np.ndarray], thickness: int) -> None:
    dash = 6 * thickness
    for contour in contours:
        for start in range(0, len(contour), 2 * dash):
            cv2.polylines(canvas, [contour[start : start + dash]], False, WHITE, thickness, cv2.LINE_AA)


def _text(canvas: np.ndarray, text: str, line: int, color: tuple[int, int, int], size: float) -> None:
    """Write a line from the top-left corner on; the size is that on a picture 512 pixels wide."""
    scale = size * canvas.shape[1] / _SIDE
    at = round(8 * scale), round((30 + 36 * line) * scale)
    for width, ink in ((5 * scale, (0, 0, 0)), (2 * scale, color)):
        thickness = max(1, round(width))
        cv2.putText(canvas, text, at, cv2.FONT_HERSHEY_SIMPLEX, scale, ink, thickness, cv2.LINE_AA)
