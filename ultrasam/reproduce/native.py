"""SAM and MedSAM as their authors run them: own preprocessing, one pass, own post-processing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ultrasam.data import coco
from ultrasam.evaluate.coco_map import ImageResult
from ultrasam.evaluate.prompting import Answers, score_images
from ultrasam.predict.object_prompt import ObjectPrompt
from ultrasam.predict.predictor import Predictor
from ultrasam.preprocess import Geometry
from ultrasam.prompts.sample import PromptKind


def test_sam(weights: Path, items: Sequence[coco.CocoImage], kind: PromptKind) -> list[ImageResult]:
    """Segment Anything's predictor: smoothed resize; the best of three masks for a point, one for a box."""
    predictor = Predictor(weights, resampling="pillow", closer=False)
    return score_images(predictor, items, [kind], multimask=lambda asked: asked == "point")[kind]


def test_medsam(weights: Path, items: Sequence[coco.CocoImage], kind: PromptKind) -> list[ImageResult]:
    """MedSAM's inference (Ma et al. 2024): squares, values from 0 to 1, one mask, probabilities enlarged.

    Its resize is scikit-image's bicubic with a Gaussian before shrinking; OpenCV's bicubic, and averages of
    areas where it shrinks, come close without another dependency.
    """
    return score_images(_MedSam(weights), items, [kind], multimask=lambda asked: False)[kind]


class _MedSam:
    def __init__(self, weights: Path) -> None:
        self.predictor = Predictor(weights, closer=False)
        self.size = (0, 0)

    def set_image(self, image: np.ndarray) -> None:
        predictor, side = self.predictor, self.predictor.model.img_size
        self.size = (image.shape[0], image.shape[1])
        features = predictor.engine.encode(medsam_input(image, side))
        predictor.set_embeddings(features, [Geometry(self.size, (side, side), side)])

    def segment(self, objects: Sequence[ObjectPrompt], *, multimask: bool = False) -> Answers:
        found = self.predictor.segment(objects, multimask=multimask)
        logits = torch.from_numpy(found.logits)[:, None]
        masks = F.interpolate(logits.sigmoid(), self.size, mode="bilinear") > 0.5
        return Answers(masks[:, 0].numpy(), found.scores)


def medsam_input(image: np.ndarray, side: int) -> Tensor:
    """An image (H, W, 3) uint8 RGB -> (1, 3, S, S) float32 between 0 and 1, its sides' ratio not kept."""
    shrinks = max(image.shape[:2]) > side
    way = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    pixels = torch.from_numpy(cv2.resize(image, (side, side), interpolation=way)).float()
    low, high = pixels.min(), pixels.max()
    return ((pixels - low) / (high - low).clamp(min=1e-8)).permute(2, 0, 1)[None]


NATIVE = {"sam": test_sam, "medsam": test_medsam}
