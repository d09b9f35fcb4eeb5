"""Set images once, segment as many objects on them as you like: numpy in, numpy out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ultrasam.errors import PromptError, UltraSamError
from ultrasam.predict.closer import CloserEncoded
from ultrasam.predict.current import Current
from ultrasam.predict.embedder import Embedder
from ultrasam.predict.embeddings_cache import EmbeddingsCache
from ultrasam.predict.encoded import Encoded
from ultrasam.predict.engine import Engine, EngineName
from ultrasam.predict.engine_choice import open_engine, pytorch
from ultrasam.predict.object_prompt import ObjectPrompt
from ultrasam.predict.pixels import Window, to_rgb8
from ultrasam.predict.segmentation import Segmentation
from ultrasam.preprocess import Geometry, Postprocessing, Resampling, SizeRule, require_one_of
from ultrasam.prompts.refine import Refinement

if TYPE_CHECKING:
    import torch
    from typing_extensions import Self

    from ultrasam.modeling.sam import Sam


class ObjectPredictor:
    """Segments images with a loaded model; coordinates as in `ultrasam.types`.

    Args:
        model: a model, a weight file, or a name that `ultrasam.load` knows; the small model that comes with
            the package where None; or the engine of another predictor.
        engine: ``torch``, ``onnx`` (onnxruntime, without PyTorch; needs the model's ONNX files), or ``auto``,
            see `ultrasam.predict.engine_choice`; None is PyTorch where it is installed, else onnxruntime.
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
        cleanup: give masks in one piece and without holes, see `ultrasam.predict.cleanup`; None does what the
            weights want. Methods of segment-anything's names give masks as the network has them.
    """

    def __init__(
        self,
        model: Sam | Engine | str | Path | None = None,
        *,
        engine: EngineName | None = None,
        device: str | torch.device | None = None,
        dtype: torch.dtype | None = None,
        size_rule: SizeRule = "round",
        resampling: Resampling = "opencv",
        postprocessing: Postprocessing = "logits",
        refinement: Refinement | None = None,
        window: Window | None = None,
        cache: EmbeddingsCache | str | Path | None = None,
        closer: bool | None = None,
        cleanup: bool | None = None,
    ) -> None:
        if closer and refinement is not None:
            raise UltraSamError("closer views and refinement passes exclude each other: choose one")
        require_one_of("postprocessing", postprocessing, Postprocessing)
        opened = model if isinstance(model, Engine) else open_engine(model, engine, device, dtype)
        self.closer = closer if closer is not None else refinement is None and opened.usage.closer
        self.cleanup = cleanup if cleanup is not None else refinement is None and opened.usage.cleanup
        store = EmbeddingsCache(cache) if isinstance(cache, (str, Path)) else cache
        self.embedder = Embedder(opened, size_rule, resampling, store)
        self.postprocessing: Postprocessing = postprocessing
        self.refinement = refinement
        self.window = window
        self._current = Current()

    @classmethod
    def as_published(cls, model: Sam | Engine | str | Path, **options: Any) -> Self:
        """A predictor that repeats the published UltraSam's test: two passes, sizes and masks included."""
        refinement = Refinement(passes=1, box_after_point=True)
        published = {"size_rule": "truncate", "postprocessing": "official", "refinement": refinement}
        return cls(model, **{**published, **options})

    @property
    def engine(self) -> Engine:
        """What the network runs in."""
        return self.embedder.engine

    @property
    def model(self) -> Sam:
        """The network, where it runs in PyTorch.

        Raises:
            UltraSamError: it runs elsewhere.
        """
        return pytorch(self.engine).model

    @property
    def device(self) -> Any:
        """Where the model runs; see `Engine.device`."""
        return self.engine.device

    def encode(self, image: np.ndarray, image_format: str = "RGB") -> Encoded:
        """Encode an image (H, W, 3) or (H, W); see `pixels.to_rgb8` for what it may be.

        Returns:
            a value of its own: ``predictor.encode(image).segment(objects)``. One predictor may encode, and
            one encoded image may be asked, by any number of threads.
        """
        return self.encode_batch([image], image_format)

    def encode_batch(self, images: Sequence[np.ndarray], image_format: str = "RGB") -> Encoded:
        """Encode several images, of any sizes; see `encode`."""
        if not len(images):
            raise UltraSamError("encode_batch takes one image or more, got none")
        arrays = [to_rgb8(image, image_format, self.window) for image in images]
        geometries = [self.embedder.geometry(array) for array in arrays]
        return self.encoded_as(self.embedder.embed(arrays), geometries, arrays)

    def segment_once(
        self, image: np.ndarray, objects: Sequence[ObjectPrompt], *, multimask: bool = False
    ) -> Segmentation:
        """Many objects on an image (H, W, 3) or (H, W) that is not asked again; as `encode` and `segment`.

        Where all objects have boxes and are looked at closer, the whole image need not be encoded.
        """
        return self.segment_each([image], [objects], multimask=multimask)[0]

    def segment_each(
        self,
        images: Sequence[np.ndarray],
        objects: Sequence[Sequence[ObjectPrompt]],
        *,
        multimask: bool = False,
    ) -> list[Segmentation]:
        """`segment_once` of B images together, of any sizes, each with objects of its own.

        Raises:
            PromptError: a prompt makes no sense; the message names it.
        """
        if any(entry.image for every in objects for entry in every):
            raise PromptError("each list of objects belongs to one image: leave out the number of the image")
        arrays = [to_rgb8(image, window=self.window) for image in images]
        asked = [replace(entry, image=number) for number, every in enumerate(objects) for entry in every]
        geometries = [self.embedder.geometry(array) for array in arrays]
        if self.closer and asked and all(entry.box is not None for entry in asked):
            features: Any = np.empty((len(arrays), 0, 0, 0), dtype=np.float32)
        else:
            features = self.embedder.embed(arrays)
        return self.encoded_as(features, geometries, arrays).segment_batch(asked, multimask=multimask)

    def encoded_as(
        self, features: Any, geometries: Sequence[Geometry], images: Sequence[np.ndarray] | None = None
    ) -> Encoded:
        """Images that are encoded already, as `encode_batch` gives them.

        Args:
            features: (B, C, h, w).
            geometries: how the B images lie in the network's input.
            images: RGB (H, W, 3) uint8, for closer views.

        Raises:
            UltraSamError: closer views are wanted, and there are no images.
        """
        kind = CloserEncoded if self.closer else Encoded
        return kind(
            *(self.embedder, features, geometries, images, self.postprocessing, self.refinement, self.cleanup)
        )

    @property
    def is_image_set(self) -> bool:
        """Whether an image was set."""
        return self._current.is_set

    @property
    def geometries(self) -> Sequence[Geometry]:
        """How the images that were set lie in the network's input."""
        return self.encoded.geometries if self.is_image_set else ()

    @property
    def features(self) -> Any:
        """The embeddings (B, C, h, w) of the images that were set."""
        return self.encoded.features if self.is_image_set else None

    @property
    def encoded(self) -> Encoded:
        """The images that were set.

        Raises:
            UltraSamError: none were, or another thread has set others since this one set its own.
        """
        return self._current.get()

    def reset_image(self) -> None:
        """Forget the images."""
        self._current.set(None)

    def set_image(self, image: np.ndarray, image_format: str = "RGB") -> None:
        """Encode an image and keep it for `segment`; see `encode` for what it may be."""
        self.set_image_batch([image], image_format)

    def set_image_batch(self, images: Sequence[np.ndarray], image_format: str = "RGB") -> None:
        """Encode several images, of any sizes, and keep them for `segment_batch`."""
        # An image that can't be set leaves none, not the one before it.
        self.reset_image()
        self._current.set(self.encode_batch(images, image_format))

    def set_embeddings(
        self, features: Any, geometries: Sequence[Geometry], images: Sequence[np.ndarray] | None = None
    ) -> None:
        """Keep images that are encoded already for `segment`; see `encoded_as`."""
        self._current.set(self.encoded_as(features, geometries, images))

    def segment(self, objects: Sequence[ObjectPrompt], *, multimask: bool = False) -> Segmentation:
        """Many objects on the image that was set: one mask each; see `Encoded.segment_batch`."""
        return self.encoded.segment(objects, multimask=multimask)

    def segment_batch(
        self, objects: Sequence[ObjectPrompt], *, multimask: bool = False
    ) -> list[Segmentation]:
        """Many objects on all images that were set; see `Encoded.segment_batch`."""
        return self.encoded.segment_batch(objects, multimask=multimask)
