"""Encoded images as values: what the network says of objects on them, for any number of threads at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ultrasam.data.boxes import tight_boxes
from ultrasam.errors import PromptError
from ultrasam.predict import masks
from ultrasam.predict.cleanup import cleaned
from ultrasam.predict.embedder import Embedder
from ultrasam.predict.engine import BoxOf
from ultrasam.predict.masks import MaskLogits
from ultrasam.predict.object_prompt import ObjectPrompt, check, pack
from ultrasam.predict.segmentation import Segmentation
from ultrasam.preprocess import Geometry, Postprocessing
from ultrasam.prompts.refine import Refinement
from ultrasam.types import NEGATIVE, POSITIVE, Prediction, Prompts


@dataclass(frozen=True)
class Answer:
    """What was found of N objects, M masks each.

    Attributes:
        logits: (N, M, 4h, 4w) float32, as the whole image has them: a mask can be a prompt again.
        iou: (N, M) float32 predicted IoU.
        masks: N rows of M; `masks.draw` and `masks.encode` make them.
    """

    logits: np.ndarray
    iou: np.ndarray
    masks: Sequence[Sequence[MaskLogits]]


@dataclass(frozen=True)
class Encoded:
    """B encoded images; each object is looked for on the whole of its image.

    It never changes, so it can be kept, handed on and asked by several threads at once.

    Attributes:
        embedder: made the embeddings.
        features: (B, C, h, w) embeddings, of the engine's kind: a tensor or an array.
        geometries: how the images lie in the network's input.
        images: RGB (H, W, 3) uint8, or None where only the embeddings are known.
        postprocessing: how logits become masks.
        refinement: feed each prediction back as a mask prompt; None for none.
        cleanup: masks of `segment` and `segment_batch` are in one piece, see `ultrasam.predict.cleanup`.
    """

    embedder: Embedder
    features: Any
    geometries: Sequence[Geometry]
    images: Sequence[np.ndarray] | None = None
    postprocessing: Postprocessing = "logits"
    refinement: Refinement | None = None
    cleanup: bool = False

    def whole(self) -> Encoded:
        """The same images, with every object looked for on the whole of its image: quicker."""
        return Encoded(**{f.name: getattr(self, f.name) for f in fields(Encoded)})

    def segment(self, objects: Sequence[ObjectPrompt], *, multimask: bool = False) -> Segmentation:
        """Many objects on the first image: one mask each; see `segment_batch`."""
        return self.segment_batch(objects, multimask=multimask)[0]

    def segment_batch(
        self, objects: Sequence[ObjectPrompt], *, multimask: bool = False
    ) -> list[Segmentation]:
        """Many objects on all B images, decoded together.

        Args:
            objects: any mixture of points, boxes and masks; each names its image.
            multimask: make three masks of each and keep the one with the highest predicted IoU, which is
                better for a single point; refinement does so in its last pass anyway. Weights that were
                trained for one mask (``model.usage.single``) give that.

        Returns:
            one `Segmentation` for each image.

        Raises:
            PromptError: as `candidates`.
        """
        answer = self.candidates(objects, multimask=multimask or self.refinement is not None, best=True)
        results = []
        for number, geometry in enumerate(self.geometries):
            rows = [i for i, entry in enumerate(objects) if entry.image == number]
            sources = [answer.masks[i][0] for i in rows]
            mine = [objects[i] for i in rows]
            results.append(
                Segmentation(
                    answer.logits[rows, 0],
                    answer.iou[rows, 0],
                    geometry.original,
                    sources,
                    mine,
                )
            )
        return results

    def candidates(self, objects: Sequence[ObjectPrompt], *, multimask: bool, best: bool = False) -> Answer:
        """`answer` as the weights want it: one mask where no more were trained, cleaned where they note it.

        Raises:
            PromptError: a prompt makes no sense, or says only where its object is not; the message names it.
        """
        for number, entry in enumerate(self.check(objects), start=1):
            _require_inside(entry, number)
        several = multimask and not self.embedder.engine.usage.single
        answer = self.answer(objects, multimask=several, best=best)
        if not self.cleanup:
            return answer
        rows = zip(answer.masks, objects, strict=True)
        return replace(answer, masks=[cleaned(row, [entry] * len(row)) for row, entry in rows])

    def answer(self, objects: Sequence[ObjectPrompt], *, multimask: bool, best: bool = False) -> Answer:
        """Segment objects.

        Args:
            objects: N prompts, on any of the images.
            multimask: three masks an object instead of one.
            best: only the mask with the highest predicted IoU: M is 1.

        Raises:
            PromptError: a prompt makes no sense; the message names it.
        """
        found = self.decode(self.pack(self.check(objects)), multimask, best)
        made = [
            masks.of_whole(row, self.geometries[entry.image], self.postprocessing)
            for row, entry in zip(found.logits, objects, strict=True)
        ]
        return Answer(found.logits, found.iou, made)

    def check(self, objects: Sequence[ObjectPrompt]) -> list[ObjectPrompt]:
        """N prompts as arrays; see `object_prompt.check`."""
        return check(objects, self.geometries, self.embedder.engine.mask_size)

    def pack(self, objects: Sequence[ObjectPrompt]) -> Prompts[NDArray[Any]]:
        """N checked prompts in the network's input."""
        return pack(objects, self.geometries, self.embedder.engine.mask_size)

    def decode(
        self, prompts: Prompts[NDArray[Any]], multimask: bool, best: bool = False
    ) -> Prediction[NDArray[Any]]:
        """The prediction of N prompts on the whole images, refined where that is wanted."""
        return self.embedder.engine.decode(
            self.features,
            prompts,
            multimask=multimask,
            best=best,
            refinement=self.refinement,
            box_of=self.boxes_of(prompts.image_index.tolist()),
        )

    def boxes_of(self, images: Sequence[int]) -> BoxOf:
        """What finds the boxes of first masks, of objects on these images; for refinement."""
        return _boxes_of(images, self.geometries, self.postprocessing)


def _require_inside(entry: ObjectPrompt, number: int) -> None:
    """segment-anything answers such prompts too, with anything: for people they are a slip."""
    if entry.points is None or entry.box is not None or entry.mask is not None:
        return
    if (entry.labels == NEGATIVE).any() and not (entry.labels == POSITIVE).any():
        raise PromptError(f"object {number} has points outside of it alone: add one inside of it, or a box")


def _boxes_of(images: Sequence[int], geometries: Sequence[Geometry], mode: Postprocessing) -> BoxOf:
    """From first-pass logits (N, 1, 4h, 4w) to boxes (N, 4) in the input, as the published test does."""

    def boxes(logits: np.ndarray) -> np.ndarray:
        rows = []
        for row, number in zip(logits, images, strict=True):
            box = tight_boxes(masks.masks_of(row, geometries[number], mode))
            rows.append(geometries[number].to_input(box))
        return np.concatenate(rows).astype(np.float32)

    return boxes
