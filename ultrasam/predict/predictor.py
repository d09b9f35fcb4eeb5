"""The predictor under segment-anything's names, so that what is written for it runs here.

`Predictor` has the methods, arguments and results of segment-anything's ``SamPredictor`` (and of SAM 2's for
batches of images), and gives the same masks for the same weights. They count in pixel indices; here, and in
`Predictor.transform`, these become the continuous pixels of everything else.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ultrasam import preprocess
from ultrasam.errors import PromptError, UltraSamError
from ultrasam.predict import masks
from ultrasam.predict.engine_choice import pytorch
from ultrasam.predict.object_predictor import ObjectPredictor
from ultrasam.predict.object_prompt import ObjectPrompt, numbers
from ultrasam.predict.pixels import to_rgb8
from ultrasam.predict.transform import Transform
from ultrasam.preprocess import Geometry
from ultrasam.types import Prompts, pixel_centers

if TYPE_CHECKING:
    from torch import Tensor


class Predictor(ObjectPredictor):
    """Segments images with a loaded model, under `ObjectPredictor`'s and segment-anything's names."""

    @property
    def transform(self) -> Transform:
        """Images and pixel indices to the network's input."""
        return Transform(self.engine.img_size, self.embedder.resampling)

    @property
    def original_size(self) -> tuple[int, int] | None:
        """(H, W) of the first image."""
        return self.geometries[0].original if self.geometries else None

    @property
    def input_size(self) -> tuple[int, int] | None:
        """(h, w) of the first image inside the network's input."""
        return self.geometries[0].resized if self.geometries else None

    def reset_predictor(self) -> None:
        """Forget the images."""
        self.reset_image()

    def set_torch_image(self, transformed_image: Tensor, original_image_size: tuple[int, ...]) -> None:
        """Encode an image that is resized already, RGB (1, 3, h, w) in 0..255, its longest side S."""
        size = self.engine.img_size
        shape = tuple(transformed_image.shape)
        if len(shape) != 4 or shape[:2] != (1, 3) or max(shape[2:]) > size:
            raise UltraSamError(f"set_torch_image takes (1, 3, h, w) within {size} pixels, got {shape}")
        height, width = original_image_size
        features = self.engine.encode(self.model.preprocess(transformed_image.to(self.device)))
        self.set_embeddings(features, [Geometry((height, width), (shape[2], shape[3]), size)])

    def get_image_embedding(self) -> Any:
        """The embedding (B, C, h, w) of what was set."""
        return self.encoded.features

    def predict(
        self,
        point_coords: Any = None,
        point_labels: Any = None,
        box: Any = None,
        mask_input: Any = None,
        multimask_output: bool = True,
        return_logits: bool = False,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Masks of one object on the image that was set; arguments and results as ``SamPredictor``'s.

        Args:
            point_coords: (K, 2) xy, pixel indices of the image.
            point_labels: (K,) 1 inside, 0 outside; None for all inside.
            box: (4,) x1, y1, x2, y2.
            mask_input: (1, 4h, 4w) logits of an earlier prediction.
            multimask_output: three masks for an ambiguous prompt, else one.
            return_logits: logits instead of masks.

        Returns:
            masks (M, H, W) bool or logits float32; predicted IoU (M,); low-resolution logits (M, 4h, 4w).
        """
        encoded = self.encoded
        entry = _from_indices(point_coords, point_labels, box, mask_input)
        answer = encoded.answer([entry], multimask=multimask_output)
        if return_logits:
            full = masks.upsample(answer.logits[0], encoded.geometries[0])
        else:
            full = masks.by_rows(masks.draw(answer.masks[0], encoded.geometries[0].original))
        return full, answer.iou[0], answer.logits[0]

    def predict_torch(
        self,
        point_coords: Tensor | None,
        point_labels: Tensor | None,
        boxes: Tensor | None = None,
        mask_input: Tensor | None = None,
        multimask_output: bool = True,
        return_logits: bool = False,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """N prompts that `transform` has brought to the input's pixels; as ``SamPredictor``'s.

        They are looked for on the whole image: closer views need prompts in the image's pixels.

        Args:
            point_coords: (N, K, 2).
            point_labels: (N, K), -1 for no point.
            boxes: (N, 4).
            mask_input: (N, 1, 4h, 4w).
            multimask_output: three masks a prompt, else one.
            return_logits: logits instead of masks.

        Returns:
            masks (N, M, H, W); predicted IoU (N, M); low-resolution logits (N, M, 4h, 4w).
        """
        import torch

        engine, encoded = pytorch(self.engine), self.encoded
        given = next((t for t in (point_coords, boxes, mask_input) if t is not None), None)
        if given is None:
            raise PromptError("no prompt: give points, boxes or masks")
        prompts = Prompts(
            torch.zeros(len(given), dtype=torch.long, device=self.device),
            None if point_coords is None else pixel_centers(point_coords.float()),
            None if point_labels is None else point_labels.long(),
            None if boxes is None else pixel_centers(boxes.reshape(-1, 4).float()),
            mask_input,
        )
        box_of = encoded.boxes_of([0] * len(given))
        prediction = engine.decode_tensors(
            encoded.features, prompts, multimask_output, encoded.refinement, box_of
        )
        if return_logits:
            full = preprocess.upsample_logits(prediction.logits.float(), encoded.geometries[0])
        else:
            full = preprocess.to_masks(prediction.logits, encoded.geometries[0], self.postprocessing)
        return full, prediction.iou, prediction.logits

    def predict_batch(
        self,
        point_coords_batch: Sequence[Any] | None = None,
        point_labels_batch: Sequence[Any] | None = None,
        box_batch: Sequence[Any] | None = None,
        mask_input_batch: Sequence[Any] | None = None,
        multimask_output: bool = True,
    ) -> tuple[list[np.ndarray], list[np.ndarray], list[np.ndarray]]:
        """One object on each image of `set_image_batch`, results as lists over the images, as SAM 2's."""
        encoded = self.encoded
        count = len(encoded.geometries)

        def column(values: Sequence[Any] | None, what: str) -> Sequence[Any]:
            if values is not None and len(values) != count:
                raise PromptError(f"{what} has {len(values)} entries, {count} images were set")
            return values if values is not None else [None] * count

        columns = zip(
            column(point_coords_batch, "point_coords_batch"),
            column(point_labels_batch, "point_labels_batch"),
            column(box_batch, "box_batch"),
            column(mask_input_batch, "mask_input_batch"),
            range(count),
            strict=True,
        )
        answer = encoded.answer([_from_indices(*row) for row in columns], multimask=multimask_output)
        full = [
            masks.by_rows(masks.draw(row, geometry.original))
            for row, geometry in zip(answer.masks, encoded.geometries, strict=True)
        ]
        return full, list(answer.iou), list(answer.logits)

    def automatic_masks(self, image: np.ndarray, **options: Any) -> list[dict[str, Any]]:
        """Masks of everything, by segment-anything's generator, with its options and its records."""
        from ultrasam.machine.torchvision_compat import bridge_torchvision

        bridge_torchvision()
        try:
            from segment_anything import SamAutomaticMaskGenerator
        except ImportError as error:
            raise UltraSamError(
                "automatic masks need segment-anything: pip install 'ultrasam[auto]'"
            ) from error
        generator = SamAutomaticMaskGenerator(self.model, **options)
        generator.predictor = self
        return generator.generate(to_rgb8(image, window=self.window))


def _from_indices(points: Any, labels: Any, box: Any, mask: Any, image: int = 0) -> ObjectPrompt:
    """An object whose points are pixel indices."""
    if points is not None:
        points = pixel_centers(numbers(points, "point_coords"))
    return ObjectPrompt(points, labels, box, mask, image)
