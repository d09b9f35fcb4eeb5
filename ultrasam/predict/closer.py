"""A second look at each object: the region round it is cut out and fills the network's input.

A small input sees a small object as a few cells; cut out, every object has about the same size, and borders
are as sharp as the image allows. It costs one more encoding an object, so it pays for small models.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from ultrasam.data.boxes import tight_boxes
from ultrasam.modeling.sam import Sam
from ultrasam.predict import masks
from ultrasam.predict.embedder import Embedder
from ultrasam.predict.object_prompt import ObjectPrompt, pack
from ultrasam.preprocess import Geometry, Postprocessing, region
from ultrasam.types import NEGATIVE, Prediction

#: What a mask prompt says of places that an earlier look did not show.
_UNSEEN = -10.0


@dataclass(frozen=True)
class View:
    """A part of an image as the network sees it.

    Attributes:
        corner: (x, y) of its top-left pixel in the image.
        geometry: of the part.
    """

    corner: tuple[int, int]
    geometry: Geometry

    def paste(self, mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """Masks (..., h, w) bool of the part in images (..., H, W) of ``size``."""
        (x, y), (height, width) = self.corner, self.geometry.original
        full = np.zeros((*mask.shape[:-2], *size), dtype=bool)
        full[..., y : y + height, x : x + width] = mask
        return full


def segment(
    model: Sam,
    embedder: Embedder,
    images: Sequence[np.ndarray],
    objects: Sequence[ObjectPrompt],
    first_look: Callable[[Tensor], Prediction],
    *,
    multimask: bool,
    best: bool = False,
    mode: Postprocessing = "logits",
) -> tuple[Prediction, list[np.ndarray]]:
    """Segment each object in the region round it.

    Args:
        model: the model.
        embedder: encodes the regions.
        images: RGB (H, W, 3) uint8.
        objects: N prompts, on any of the images.
        first_look: rows of the objects (n,) -> logits (n, 1, 4h, 4w) on whole images; it says where objects
            without a box are.
        multimask: three masks an object instead of one.
        best: only the mask with the highest predicted IoU.
        mode: how logits become masks.

    Returns:
        the prediction as a whole image would have it, so that its logits can be a mask prompt again; and N
        sharper masks (M, H, W) bool.
    """
    wholes = [View((0, 0), embedder.geometry(image)) for image in images]
    boxes = _boxes(objects, wholes, first_look, mode)
    boxes = [_with_points(box, entry) for box, entry in zip(boxes, objects, strict=True)]
    views, moved, parts = [], [], []
    for number, (entry, box) in enumerate(zip(objects, boxes, strict=True)):
        image = images[entry.image]
        x1, y1, x2, y2 = region(box, *image.shape[:2])
        parts.append(np.ascontiguousarray(image[y1:y2, x1:x2]))
        views.append(View((x1, y1), embedder.geometry(parts[-1])))
        moved.append(_moved(entry, wholes[entry.image], views[-1], number))
    size = model.prompt_encoder.mask_input_size
    prompts = pack(moved, [view.geometry for view in views], size).to(model.device)
    with torch.no_grad():
        found = model.decode(embedder.embed(parts), prompts, multimask=multimask)
    found = found.best() if best else found
    rows = found.logits.float().cpu()
    full, logits = [], []
    for entry, box, view, row in zip(objects, boxes, views, rows, strict=True):
        whole = wholes[entry.image]
        mask = view.paste(masks.masks_of(row, view.geometry, mode), whole.geometry.original)
        full.append(mask if entry.box is None else _within(mask, box))
        logits.append(np.stack([resample(one, view, whole) for one in row.numpy()]))
    return Prediction(torch.from_numpy(np.stack(logits)).to(model.device), found.iou), full


def _within(mask: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Masks (..., H, W) without the pixels that a box (4,) xyxy does not touch: it holds the object."""
    rows, columns = (np.arange(n) for n in mask.shape[-2:])
    x1, y1, x2, y2 = box
    return mask & ((rows + 1 > y1) & (rows < y2))[:, None] & ((columns + 1 > x1) & (columns < x2))


def _boxes(
    objects: Sequence[ObjectPrompt],
    wholes: Sequence[View],
    first_look: Callable[[Tensor], Prediction],
    mode: Postprocessing,
) -> list[np.ndarray]:
    """Where each object is, (4,) xyxy in its image: its box prompt, or the box of a first mask."""
    boxes: list[np.ndarray | None] = [
        None if entry.box is None else np.asarray(entry.box, dtype=float).reshape(4) for entry in objects
    ]
    missing = [row for row, box in enumerate(boxes) if box is None]
    if missing:
        logits = first_look(torch.tensor(missing)).logits[:, 0]
        for row, one in zip(missing, logits, strict=True):
            geometry = wholes[objects[row].image].geometry
            box = tight_boxes(masks.masks_of(one[None], geometry, mode))[0]
            # Where a first look finds nothing, the second sees the whole image too.
            boxes[row] = box if box[2] > box[0] else np.array([0, 0, *geometry.original[::-1]], dtype=float)
    return [box for box in boxes if box is not None]


def resample(logits: np.ndarray, source: View, target: View) -> np.ndarray:
    """Logits (4h, 4w) of one view as another view of the same image would have them, float32.

    Cells of both are squares of the network's input, so the map between them scales and moves.
    """
    cells = logits.shape[0]
    matrix = np.zeros((2, 3))
    for axis in range(2):
        cell = source.geometry.size / cells
        mine, other = source.geometry.scale[axis] / cell, target.geometry.scale[axis] / cell
        matrix[axis, axis] = mine / other
        shift = target.corner[axis] - source.corner[axis]
        matrix[axis, 2] = (0.5 / other + shift) * mine - 0.5
    return cv2.warpAffine(
        np.ascontiguousarray(logits, dtype=np.float32),
        matrix,
        (cells, cells),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=_UNSEEN,
    )


def _with_points(box: np.ndarray, entry: ObjectPrompt) -> np.ndarray:
    """The box (4,) enlarged to hold the object's own points."""
    if entry.points is None:
        return box
    points: np.ndarray = np.asarray(entry.points, dtype=np.float64).reshape(-1, 2)
    if entry.labels is not None:
        points = points[np.asarray(entry.labels).reshape(-1) > NEGATIVE]
    corners = np.concatenate([box.reshape(2, 2), points, points + 1])
    return np.concatenate([corners.min(axis=0), corners.max(axis=0)])


def _moved(entry: ObjectPrompt, whole: View, view: View, number: int) -> ObjectPrompt:
    """A prompt in the pixels of a view; negative points that the view does not show are left out."""
    corner, (height, width) = np.array(view.corner), view.geometry.original
    points = labels = None
    if entry.points is not None:
        points = np.asarray(entry.points, dtype=np.float64).reshape(-1, 2) - corner
        labels = np.ones(len(points)) if entry.labels is None else np.asarray(entry.labels).reshape(-1)
        shown = ((points >= 0) & (points < (width, height))).all(axis=1)
        points, labels = (points[shown], labels[shown]) if shown.any() else (None, None)
    box = (
        None if entry.box is None else np.asarray(entry.box, dtype=np.float64).reshape(4) - np.tile(corner, 2)
    )
    mask = None
    if entry.mask is not None:
        mask = resample(
            np.asarray(entry.mask, dtype=np.float32).reshape(-1, entry.mask.shape[-1]), whole, view
        )
    return ObjectPrompt(points, labels, box, mask, image=number)
