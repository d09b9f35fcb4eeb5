"""A second look at each object: the region round it is cut out and fills the network's input.

A small input sees a small object as a few cells; cut out, every object has about the same size, and borders
are as sharp as the image allows. It costs one more encoding an object, so it pays for small models.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ultrasam.data.boxes import tight_box
from ultrasam.errors import UltraSamError
from ultrasam.predict import masks
from ultrasam.predict.cleanup import cleaned
from ultrasam.predict.crop import Crop, resample
from ultrasam.predict.encoded import Answer, Encoded
from ultrasam.predict.object_prompt import ObjectPrompt
from ultrasam.preprocess import region
from ultrasam.types import NEGATIVE


@dataclass(frozen=True)
class CloserEncoded(Encoded):
    """B encoded images; each object is looked for in the region round it.

    The whole image says where objects without a box are. A box holds its object: pixels that it does not
    touch are left out, unless a positive point widens it.
    """

    def __post_init__(self) -> None:
        if self.images is None:
            raise UltraSamError("closer views need the image itself: use encode, or closer=False")

    def answer(self, objects: Sequence[ObjectPrompt], *, multimask: bool, best: bool = False) -> Answer:
        """Segment objects; arguments and errors as `Encoded.answer`."""
        if not objects:
            return super().answer(objects, multimask=multimask, best=best)
        objects = self.check(objects)
        boxes = self._boxes(objects)
        near, crops, wholes, moved = self._near(objects, boxes)
        answer = near.answer(moved, multimask=multimask, best=best)
        logits, made = [], []
        for entry, box, whole, crop, row in zip(objects, boxes, wholes, crops, answer.masks, strict=True):
            logits.append(np.stack([resample(mask.logits, crop, whole) for mask in row]))
            holds = None if entry.box is None else box
            made.append([replace(mask, crop=crop, box=holds) for mask in row])
        return Answer(np.stack(logits), answer.iou, made)

    def nearer(self, objects: Sequence[ObjectPrompt]) -> tuple[Encoded, list[ObjectPrompt]]:
        """The regions round N objects as N images, and the prompts in them."""
        objects = self.check(objects)
        near, _, _, moved = self._near(objects, self._boxes(objects))
        return near, moved

    def _near(
        self, objects: Sequence[ObjectPrompt], boxes: Sequence[np.ndarray]
    ) -> tuple[Encoded, list[Crop], list[Crop], list[ObjectPrompt]]:
        near, crops = self._cut_out(objects, boxes)
        wholes = [Crop((0, 0), self.geometries[entry.image]) for entry in objects]
        moved = [
            replace(_moved(*row), image=number)
            for number, row in enumerate(zip(objects, wholes, crops, strict=True))
        ]
        return near, crops, wholes, moved

    def _boxes(self, objects: Sequence[ObjectPrompt]) -> list[np.ndarray]:
        """Where each object is, (4,) xyxy in its image: its box or that of a first mask, and its points."""
        missing = [row for row, entry in enumerate(objects) if entry.box is None]
        boxes = [entry.box for entry in objects]
        if missing:
            prompts = self.pack(objects)[np.array(missing)]
            for row, logits in zip(missing, self.decode(prompts, True, best=True).logits, strict=True):
                boxes[row] = self._box_of(logits, objects[row])
        return [_with_points(box, entry) for box, entry in zip(boxes, objects, strict=True)]

    def _box_of(self, logits: np.ndarray, entry: ObjectPrompt) -> np.ndarray:
        """The box (4,) of a first mask; of the whole image where it is empty."""
        geometry = self.geometries[entry.image]
        first = masks.of_whole(logits, geometry, self.postprocessing)
        (mask,) = masks.draw(cleaned(first, [entry]) if self.cleanup else first, geometry.original)
        return tight_box(mask) if mask.any() else np.array([0.0, 0.0, *geometry.original[::-1]])

    def _cut_out(
        self, objects: Sequence[ObjectPrompt], boxes: Sequence[np.ndarray]
    ) -> tuple[Encoded, list[Crop]]:
        """The regions round N boxes (4,): as N images, and where they were in their images."""
        assert self.images is not None
        parts, crops = [], []
        for entry, box in zip(objects, boxes, strict=True):
            image = self.images[entry.image]
            x1, y1, x2, y2 = region(box, *image.shape[:2])
            parts.append(np.ascontiguousarray(image[y1:y2, x1:x2]))
            crops.append(Crop((x1, y1), self.embedder.geometry(parts[-1])))
        features, geometries = self.embedder.embed(parts), [crop.geometry for crop in crops]
        return Encoded(self.embedder, features, geometries, parts, self.postprocessing), crops


def _with_points(box: np.ndarray, entry: ObjectPrompt) -> np.ndarray:
    """The box (4,) enlarged to hold a pixel round each of the object's own points."""
    if entry.points is None:
        return box
    points = entry.points[entry.labels > NEGATIVE]
    corners = np.concatenate([box.reshape(2, 2), points - 0.5, points + 0.5])
    return np.concatenate([corners.min(axis=0), corners.max(axis=0)])


def _moved(entry: ObjectPrompt, whole: Crop, crop: Crop) -> ObjectPrompt:
    """A prompt in the pixels of a crop; negative points that the crop does not show are left out."""
    corner, (height, width) = np.array(crop.corner), crop.geometry.original
    points = labels = box = mask = None
    if entry.points is not None:
        points = entry.points - corner
        shown = (entry.labels > NEGATIVE) | ((points >= 0) & (points < (width, height))).all(axis=1)
        points, labels = points[shown], entry.labels[shown]
    if entry.box is not None:
        box = entry.box - np.tile(corner, 2)
    if entry.mask is not None:
        mask = resample(entry.mask, whole, crop)
    return ObjectPrompt(points, labels, box, mask)
