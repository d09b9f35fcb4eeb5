"""Set an image once, prompt it as often as you like: numpy in, numpy out.

`Predictor` has the methods, arguments and results of segment-anything's ``SamPredictor`` (and of SAM 2's for
batches of images), and gives the same masks for the same weights. `Predictor.segment` is the shorter way for
many objects with any mixture of prompts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ultrasam import checkpoints, preprocess
from ultrasam.data.boxes import tight_boxes
from ultrasam.errors import PromptError, UltraSamError
from ultrasam.modeling.sam import Sam
from ultrasam.predict import closer as closer_views
from ultrasam.predict import masks
from ultrasam.predict.embedder import Embedder, available, best_device
from ultrasam.predict.embeddings_cache import EmbeddingsCache
from ultrasam.predict.object_prompt import ObjectPrompt, pack
from ultrasam.predict.pixels import Window, to_rgb8
from ultrasam.predict.segmentation import Segmentation
from ultrasam.predict.transform import Transform
from ultrasam.preprocess import Geometry, Postprocessing, Resampling, SizeRule
from ultrasam.prompts.refine import Refinement, interact
from ultrasam.types import Prediction, Prompts

BoxesOf = Callable[[Tensor], Tensor]


class Predictor:
    """Segments images with a loaded model.

    Args:
        model: a model, a weight file, or a name that `ultrasam.load` knows; the small model that comes with
            the package where None.
        device: where to run; the best at hand for a file, where the model is for a model.
        dtype: ``torch.bfloat16`` or ``torch.float16`` runs the image encoder in half precision.
        size_rule: how the resized image's sides are rounded.
        resampling: how it is resized; ``pillow`` is what ``SamPredictor`` does.
        postprocessing: how logits become masks.
        refinement: feed each prediction back as a mask prompt; None for none.
        window: grey values shown as black and white, for 16-bit and floating-point images.
        cache: keep image embeddings on disk; a folder or an `EmbeddingsCache`.
        closer: cut out the region round each object and segment it there, see `ultrasam.predict.closer`; None
            does what the weights were trained for (``model.usage``). Not together with refinement.
    """

    def __init__(
        self,
        model: Sam | str | Path | None = None,
        *,
        device: str | torch.device | None = None,
        dtype: torch.dtype | None = None,
        size_rule: SizeRule = "round",
        resampling: Resampling = "opencv",
        postprocessing: Postprocessing = "logits",
        refinement: Refinement | None = None,
        window: Window | None = None,
        cache: EmbeddingsCache | str | Path | None = None,
        closer: bool | None = None,
    ) -> None:
        if closer and refinement is not None:
            raise UltraSamError("closer views and refinement passes exclude each other: choose one")
        if not isinstance(model, Sam):
            model, device = checkpoints.load(model), device or best_device()
        self.closer = closer if closer is not None else refinement is None and model.usage.closer
        self.model = model.to(available(device) if device is not None else model.device).eval()
        store = EmbeddingsCache(cache) if isinstance(cache, (str, Path)) else cache
        self.embedder = Embedder(self.model, size_rule, resampling, dtype, store)
        self.postprocessing: Postprocessing = postprocessing
        self.refinement = refinement
        self.window = window
        self.transform = Transform(model.img_size, resampling)
        self.reset_image()

    @classmethod
    def as_published(cls, model: Sam | str | Path, **options: Any) -> Predictor:
        """A predictor that repeats the published UltraSam's test: two passes, sizes and masks included."""
        refinement = Refinement(passes=1, box_after_point=True)
        published = {"size_rule": "truncate", "postprocessing": "official", "refinement": refinement}
        return cls(model, **{**published, **options})

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self.model.device

    def reset_image(self) -> None:
        """Forget the images."""
        self.features: Tensor | None = None
        self.geometries: list[Geometry] = []
        self.images: list[np.ndarray] = []

    reset_predictor = reset_image

    @property
    def is_image_set(self) -> bool:
        """Whether an image was set."""
        return self.features is not None

    @property
    def original_size(self) -> tuple[int, int] | None:
        """(H, W) of the first image."""
        return self.geometries[0].original if self.geometries else None

    @property
    def input_size(self) -> tuple[int, int] | None:
        """(h, w) of the first image inside the network's input."""
        return self.geometries[0].resized if self.geometries else None

    def set_image(self, image: np.ndarray, image_format: str = "RGB") -> None:
        """Encode an image (H, W, 3) or (H, W); see `pixels.to_rgb8` for what it may be."""
        self.set_image_batch([image], image_format)

    def set_image_batch(self, images: Sequence[np.ndarray], image_format: str = "RGB") -> None:
        """Encode several images, of any sizes."""
        if not len(images):
            raise UltraSamError("set_image_batch takes one image or more, got none")
        self.reset_image()
        arrays = [to_rgb8(image, image_format, self.window) for image in images]
        self.geometries = [self.embedder.geometry(array) for array in arrays]
        self.images = arrays if self.closer else []
        self.features = self.embedder.embed(arrays)

    def set_torch_image(self, transformed_image: Tensor, original_image_size: tuple[int, ...]) -> None:
        """Encode an image that is resized already, RGB (1, 3, h, w) in 0..255, its longest side S."""
        size = self.model.img_size
        shape = tuple(transformed_image.shape)
        if len(shape) != 4 or shape[:2] != (1, 3) or max(shape[2:]) > size:
            raise UltraSamError(f"set_torch_image takes (1, 3, h, w) within {size} pixels, got {shape}")
        height, width = original_image_size
        self.geometries = [Geometry((height, width), (shape[2], shape[3]), size)]
        if self.closer:
            raise UltraSamError("closer views need the image itself: use set_image, or closer=False")
        self.features = self.embedder.encode(self.model.preprocess(transformed_image.to(self.device)))

    def get_image_embedding(self) -> Tensor:
        """The embedding (B, C, h, w) of what was set."""
        return self._set_features()

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
        entry = ObjectPrompt(point_coords, point_labels, box, mask_input)
        prediction, sharp = self._ask([entry], multimask_output)
        logits, iou = prediction.logits[0].float().cpu(), prediction.iou[0].float().cpu().numpy()
        if sharp is not None and not return_logits:
            full = sharp[0]
        elif return_logits:
            full = preprocess.upsample_logits(logits[None], self.geometries[0])[0].numpy()
        else:
            full = masks.by_rows(masks.masks_of(logits, self.geometries[0], self.postprocessing))
        return full, iou, logits.numpy()

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
        given = next((t for t in (point_coords, boxes, mask_input) if t is not None), None)
        if given is None:
            raise PromptError("no prompt: give points, boxes or masks")
        prompts = Prompts(
            torch.zeros(len(given), dtype=torch.long, device=self.device),
            None if point_coords is None else point_coords.float() + 0.5,
            None if point_labels is None else point_labels.long(),
            None if boxes is None else boxes.reshape(-1, 4).float() + 0.5,
            mask_input,
        )
        prediction = self._decode(prompts, multimask_output)
        geometry = self.geometries[0]
        if return_logits:
            full = preprocess.upsample_logits(prediction.logits.float(), geometry)
        else:
            full = preprocess.to_masks(prediction.logits, geometry, self.postprocessing)
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
        count = len(self.geometries)

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
        prediction, sharp = self._ask([ObjectPrompt(*row) for row in columns], multimask_output)
        logits = prediction.logits.float().cpu()
        full = sharp or [
            masks.by_rows(masks.masks_of(row, geometry, self.postprocessing))
            for row, geometry in zip(logits, self.geometries, strict=True)
        ]
        return full, list(prediction.iou.float().cpu().numpy()), list(logits.numpy())

    def segment(self, objects: Sequence[ObjectPrompt], *, multimask: bool = False) -> Segmentation:
        """Many objects on the first image: one mask each; see `segment_batch`."""
        return self.segment_batch(objects, multimask=multimask)[0]

    def segment_batch(
        self, objects: Sequence[ObjectPrompt], *, multimask: bool = False
    ) -> list[Segmentation]:
        """Many objects on all images that were set, decoded together.

        Args:
            objects: any mixture of points, boxes and masks; each names its image.
            multimask: make three masks of each and keep the one with the highest predicted IoU, which is
                better for a single point; refinement does so in its last pass anyway.

        Returns:
            one `Segmentation` for each image.
        """
        self._set_features()
        found = sharp = None
        if objects:
            found, sharp = self._ask(objects, multimask or self.refinement is not None, best=True)
        results = []
        for number, geometry in enumerate(self.geometries):
            rows = [i for i, entry in enumerate(objects) if entry.image == number]
            side = self.model.prompt_encoder.mask_input_size
            logits = found.logits[rows, 0].float().cpu() if found else torch.zeros(0, *side)
            scores = found.iou[rows, 0].float().cpu().numpy() if found else np.zeros(0, dtype=np.float32)
            chosen = [objects[i] for i in rows]
            close = np.concatenate([sharp[i] for i in rows]) if sharp and rows else None
            results.append(Segmentation(logits, scores, geometry, chosen, self.postprocessing, close))
        return results

    def automatic_masks(self, image: np.ndarray, **options: Any) -> list[dict[str, Any]]:
        """Masks of everything, by segment-anything's generator, with its options and its records."""
        from ultrasam.machine.torchvision_compat import bridge_torchvision

        bridge_torchvision()
        try:
            from segment_anything import SamAutomaticMaskGenerator
        except ImportError as error:
            raise UltraSamError(
                "automatic masks need segment-anything: pip install segment-anything torchvision"
            ) from error
        generator = SamAutomaticMaskGenerator(self.model, **options)
        generator.predictor = self
        return generator.generate(to_rgb8(image, window=self.window))

    def _set_features(self) -> Tensor:
        if self.features is None:
            raise UltraSamError("no image is set: call set_image(image) first")
        return self.features

    def _ask(
        self, objects: Sequence[ObjectPrompt], multimask: bool, *, best: bool = False
    ) -> tuple[Prediction, list[np.ndarray] | None]:
        """The prediction of N objects; with closer views also their masks, N times (M, H, W) bool."""
        self._set_features()
        size = self.model.prompt_encoder.mask_input_size
        prompts = pack(objects, self.geometries, size).to(self.device)
        if self.closer:
            return closer_views.segment(
                self.model,
                self.embedder,
                self.images,
                objects,
                lambda rows: self._decode(prompts[rows], True).best(),
                multimask=multimask,
                best=best,
                mode=self.postprocessing,
            )
        prediction = self._decode(prompts, multimask)
        return prediction.best() if best else prediction, None

    @torch.no_grad()
    def _decode(self, prompts: Prompts, multimask: bool) -> Prediction:
        features = self._set_features()
        if self.refinement is None:
            return self.model.decode(features, prompts, multimask=multimask)
        box_of = _boxes_of(prompts.image_index, self.geometries, self.postprocessing)
        prediction = list(interact(self.model, features, prompts, self.refinement, box_of))[-1]
        return prediction if multimask else prediction.best()


def _boxes_of(image_index: Tensor, geometries: Sequence[Geometry], mode: Postprocessing) -> BoxesOf:
    """From first-pass logits (N, 1, 4h, 4w) to boxes (N, 4) in the input, as the published test does."""

    def boxes(logits: Tensor) -> Tensor:
        rows = []
        for row, number in zip(logits, image_index.tolist(), strict=True):
            box = tight_boxes(masks.masks_of(row, geometries[number], mode))
            rows.append(geometries[number].to_input(box))
        return torch.from_numpy(np.concatenate(rows)).float().to(logits.device)

    return boxes
