"""Set images once, segment as many objects on them as you like: numpy in, numpy out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ultrasam import checkpoints
from ultrasam.errors import UltraSamError
from ultrasam.modeling.sam import Sam
from ultrasam.predict.closer import CloserView
from ultrasam.predict.embedder import Embedder, available, best_device
from ultrasam.predict.embeddings_cache import EmbeddingsCache
from ultrasam.predict.object_prompt import ObjectPrompt
from ultrasam.predict.pixels import Window, to_rgb8
from ultrasam.predict.segmentation import Segmentation
from ultrasam.predict.views import WholeView
from ultrasam.preprocess import Geometry, Postprocessing, Resampling, SizeRule
from ultrasam.prompts.refine import Refinement

if TYPE_CHECKING:
    from typing_extensions import Self


class ObjectPredictor:
    """Segments images with a loaded model; coordinates as in `ultrasam.types`.

    Args:
        model: a model, a weight file, or a name that `ultrasam.load` knows; the small model that comes with
            the package where None.
        device: where to run; the best at hand for a file, where the model is for a model.
        dtype: ``torch.bfloat16`` or ``torch.float16`` runs the image encoder in half precision.
        size_rule: how the resized image's sides are rounded.
        resampling: how it is resized; ``pillow`` is what ``SamPredictor`` does.
        postprocessing: how logits become masks.
        refinement: feed each prediction back as a mask prompt; None for none.
        window: gray values shown as black and white, for 16-bit and floating-point images.
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
        self.view: WholeView | None = None

    @classmethod
    def as_published(cls, model: Sam | str | Path, **options: Any) -> Self:
        """A predictor that repeats the published UltraSam's test: two passes, sizes and masks included."""
        refinement = Refinement(passes=1, box_after_point=True)
        published = {"size_rule": "truncate", "postprocessing": "official", "refinement": refinement}
        return cls(model, **{**published, **options})

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self.model.device

    @property
    def is_image_set(self) -> bool:
        """Whether an image was set."""
        return self.view is not None

    @property
    def geometries(self) -> Sequence[Geometry]:
        """How the images that were set lie in the network's input."""
        return self.view.geometries if self.view else ()

    @property
    def features(self) -> Tensor | None:
        """The embeddings (B, C, h, w) of the images that were set."""
        return self.view.features if self.view else None

    def reset_image(self) -> None:
        """Forget the images."""
        self.view = None

    def set_image(self, image: np.ndarray, image_format: str = "RGB") -> None:
        """Encode an image (H, W, 3) or (H, W); see `pixels.to_rgb8` for what it may be."""
        self.set_image_batch([image], image_format)

    def set_image_batch(self, images: Sequence[np.ndarray], image_format: str = "RGB") -> None:
        """Encode several images, of any sizes."""
        if not len(images):
            raise UltraSamError("set_image_batch takes one image or more, got none")
        self.reset_image()
        arrays = [to_rgb8(image, image_format, self.window) for image in images]
        geometries = [self.embedder.geometry(array) for array in arrays]
        self.set_embeddings(self.embedder.embed(arrays), geometries, arrays)

    def set_embeddings(
        self, features: Tensor, geometries: Sequence[Geometry], images: Sequence[np.ndarray] | None = None
    ) -> None:
        """Use images that are encoded already.

        Args:
            features: (B, C, h, w).
            geometries: how the B images lie in the network's input.
            images: RGB (H, W, 3) uint8, for closer views.

        Raises:
            UltraSamError: closer views are wanted, and there are no images.
        """
        kind = CloserView if self.closer else WholeView
        self.view = kind(self.embedder, features, geometries, images, self.postprocessing, self.refinement)

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

        Raises:
            PromptError: a prompt makes no sense; the message names it.
        """
        view = self._seen()
        answer = view.answer(objects, multimask=multimask or self.refinement is not None, best=True)
        results = []
        for number, geometry in enumerate(view.geometries):
            rows = [i for i, entry in enumerate(objects) if entry.image == number]
            results.append(
                Segmentation(
                    answer.logits[rows, 0],
                    answer.iou[rows, 0],
                    geometry.original,
                    [answer.masks[i][0] for i in rows],
                    [objects[i] for i in rows],
                )
            )
        return results

    def _seen(self) -> WholeView:
        if self.view is None:
            raise UltraSamError("no image is set: call set_image(image) first")
        return self.view
