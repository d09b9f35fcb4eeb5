"""The records that cross module borders, and the vocabulary of shapes and coordinates.

B images, N prompted objects (flat over the batch), K points, M masks an object, C channels,
H, W pixels of an image, S side of the square network input, h, w cells of the embedding (S / patch).

Points are ``(x, y)``, boxes ``(x1, y1, x2, y2)``, in continuous pixels: the origin is the top-left corner of
the top-left pixel, so the center of that pixel is (0.5, 0.5), and the box that holds it alone is
(0, 0, 1, 1), as in COCO. segment-anything counts pixel indices instead, (0, 0) for the center of that pixel.
They live only where its interface is imitated: `Predictor.predict`, ``predict_batch``, ``predict_torch`` and
``transform``, `PromptEncoder.forward`, and the exported decoder; `pixel_centers` and `pixel_indices` are the
door between the two.

A box of an image is the same four numbers on both sides: its users, too, give the edges that COCO has. That
it takes them for indices and so moves the corners by half a pixel of the input is what its weights know, and
`object_prompt.pack` repeats it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal

import numpy as np
from numpy.typing import NDArray

from ultrasam.errors import CheckpointError, PromptError

if TYPE_CHECKING:
    import torch
    from torch import Tensor
    from typing_extensions import TypeVar

    #: Tensors of PyTorch, or arrays where another runtime has the network.
    Array = TypeVar("Array", NDArray[Any], Tensor, default=Tensor)
    Other = TypeVar("Other", NDArray[Any], Tensor)
    Coordinates = TypeVar("Coordinates", NDArray[Any], Tensor)
else:
    from typing import TypeVar

    Array = TypeVar("Array")

NEGATIVE, POSITIVE = 0, 1
#: Side of a cell of mask logits, in pixels of the input.
MASK_STRIDE = 4
#: Label of a slot that holds no point: rows with fewer points than K are filled up with it.
PADDING = -1


def pixel_centers(indices: Coordinates) -> Coordinates:
    """segment-anything's pixel indices (..., 2) or (..., 4) as continuous pixels, of floating type."""
    return indices + 0.5


def pixel_indices(centers: Coordinates) -> Coordinates:
    """The inverse of `pixel_centers`."""
    return centers - 0.5


@dataclass(frozen=True)
class QualityFit:
    """What predicted IoU times agreement is worth, and how far areas are off; see `ultrasam.predict.quality`.

    Attributes:
        curves: of ``box`` and ``point``, knots (product, expected IoU) in ascending order.
        areas: of both, the quotients of true and found area between which nine of ten lie.
    """

    curves: Mapping[str, Sequence[tuple[float, float]]]
    areas: Mapping[str, tuple[float, float]]

    def expected(self, kind: str, product: float) -> float:
        """The expected IoU, linear between the knots."""
        knots = self.curves[kind]
        for (x, y), (right, above) in pairwise(knots):
            if product <= right:
                share = (product - x) / (right - x) if right > x else 1.0
                return y + max(share, 0.0) * (above - y)
        return knots[-1][1]

    def area_ratios(self, kind: str) -> tuple[float, float]:
        """Lowest and highest quotient of true and found area."""
        return self.areas[kind]

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> QualityFit:
        """What a file notes.

        Raises:
            ValueError: it is none.
        """
        curves = {
            kind: tuple((float(x), float(y)) for x, y in content["curves"][kind]) for kind in ("box", "point")
        }
        areas = {kind: tuple(float(v) for v in content["areas"][kind]) for kind in ("box", "point")}
        numbers = [v for part in (*curves.values(), (*areas.values(),)) for pair in part for v in pair]
        if not all(len(knots) for knots in curves.values()) or not all(0 <= v < 1e6 for v in numbers):
            raise ValueError("no fit of quality")
        return cls(curves, {kind: (pair[0], pair[1]) for kind, pair in areas.items()})


@dataclass(frozen=True)
class ModelUsage:
    """What weights want to be used with: a fact of their file, which a loaded model carries as ``usage``.

    Attributes:
        closer: segment each object in a view of its own, see `ultrasam.predict.closer`.
        cleanup: give masks in one piece and without holes, see `ultrasam.predict.cleanup`.
        single: give the one mask for a prompt and never the best of three, which was not trained.
        quality: what predicted IoU is worth, see `ultrasam.predict.quality`; None where it was not fitted.
        normalization: of images, see `ultrasam.preprocess`.
        img_size: side of the network's input in pixels, where shapes do not tell; 0 where they do.
    """

    #: Under which files and state dicts keep it.
    KEY: ClassVar[str] = "ultrasam"

    closer: bool = False
    cleanup: bool = False
    single: bool = False
    normalization: Literal["imagenet", "minmax"] = "imagenet"
    img_size: int = 0
    quality: QualityFit | None = None

    @classmethod
    def of(cls, note: Mapping[str, Any] | str | None) -> ModelUsage:
        """What a file notes, as a mapping or as JSON; the defaults where it notes nothing.

        Raises:
            CheckpointError: the note has another form.
        """
        try:
            found = json.loads(note) if isinstance(note, str) else dict(note or {})
            if found.get("quality") is not None:
                found["quality"] = QualityFit.of(found["quality"])
            made = cls(**{f.name: found[f.name] for f in fields(cls) if f.name in found})
            made._check()
        except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
            raise CheckpointError(
                f"'{cls.KEY}' should say how the weights are used, as in "
                f'{{"closer": true}}, and says {note!r}'
            ) from error
        return made

    def note(self) -> dict[str, Any]:
        """What files keep: ``closer``, and what is not as usual."""
        usual = ModelUsage()
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        if self.quality is not None:
            values["quality"] = {
                "curves": {
                    kind: [list(knot) for knot in knots] for kind, knots in self.quality.curves.items()
                },
                "areas": {kind: list(pair) for kind, pair in self.quality.areas.items()},
            }
        return {n: value for n, value in values.items() if n == "closer" or value != getattr(usual, n)}

    def _check(self) -> None:
        if any(type(value) is not bool for value in (self.closer, self.cleanup, self.single)):
            raise ValueError("neither true nor false")
        if self.normalization not in ("imagenet", "minmax"):
            raise ValueError("an unknown normalization")
        if type(self.img_size) is not int or not 0 <= self.img_size <= 1 << 14:
            raise ValueError("no size of an input")


@dataclass(frozen=True)
class Prompts(Generic[Array]):
    """N prompts over the images of one batch, in pixels of the network's square input.

    Attributes:
        image_index: (N,) int64, the image that each prompt belongs to, ascending order not required.
        points: (N, K, 2) float or None.
        labels: (N, K) int64 with 1 positive, 0 negative, -1 no point here (ragged rows); None without points.
        boxes: (N, 4) float xyxy or None; a row of NaN means that this object has no box.
        masks: (N, 1, 4h, 4w) float logits of an earlier prediction or None.
        has_mask: (N,) bool, which rows of ``masks`` count; None means all of them.
    """

    image_index: Array
    points: Array | None = None
    labels: Array | None = None
    boxes: Array | None = None
    masks: Array | None = None
    has_mask: Array | None = None

    def __post_init__(self) -> None:
        n = len(self)
        if self.image_index.ndim != 1:
            raise PromptError(f"image_index must be (N,), got {tuple(self.image_index.shape)}")
        if (self.points is None) != (self.labels is None):
            raise PromptError("points and labels belong together: give both or neither")
        if self.points is not None and self.labels is not None:
            if self.points.ndim != 3 or self.points.shape[0] != n or self.points.shape[-1] != 2:
                raise PromptError(f"points must be ({n}, K, 2), got {tuple(self.points.shape)}")
            if self.labels.shape != self.points.shape[:2]:
                raise PromptError(
                    f"labels must be {tuple(self.points.shape[:2])}, got {tuple(self.labels.shape)}"
                )
        if self.boxes is not None and self.boxes.shape != (n, 4):
            raise PromptError(f"boxes must be ({n}, 4), got {tuple(self.boxes.shape)}")
        if self.masks is not None and (
            self.masks.ndim != 4 or self.masks.shape[0] != n or self.masks.shape[1] != 1
        ):
            raise PromptError(f"masks must be ({n}, 1, 4h, 4w), got {tuple(self.masks.shape)}")
        if self.has_mask is not None and self.has_mask.shape != (n,):
            raise PromptError(f"has_mask must be ({n},), got {tuple(self.has_mask.shape)}")

    @staticmethod
    def of_images(parts: Sequence[Any]) -> Prompts[Tensor]:
        """The prompts of several images as those of a batch.

        Args:
            parts: for each image a record of its n objects with ``points`` (n, K, 2), ``labels`` (n, K) and
                ``boxes`` (n, 4), tensors or arrays.
        """
        import torch

        points, labels, boxes = (
            torch.cat([torch.as_tensor(getattr(part, name)) for part in parts])
            for name in ("points", "labels", "boxes")
        )
        index = torch.arange(len(parts)).repeat_interleave(torch.tensor([len(part.boxes) for part in parts]))
        return Prompts(index.to(boxes.device), points, labels, boxes)

    def __len__(self) -> int:
        return int(self.image_index.shape[0])

    def __getitem__(self, rows: Array | slice) -> Prompts[Array]:
        """The prompts of some rows: an index, bool mask or slice over N."""
        return self.map(lambda value: value[rows])

    def to(self: Prompts[Tensor], device: torch.device | str) -> Prompts[Tensor]:
        """The same prompts on another device."""
        return self.map(lambda value: value.to(device))

    def map(self, change: Callable[[Array], Other]) -> Prompts[Other]:
        """The same prompts with each of their arrays changed."""
        given = {f.name: v for f in fields(self) if (v := getattr(self, f.name)) is not None}
        return Prompts(**{name: change(value) for name, value in given.items()})

    def with_masks(self, masks: Array | None) -> Prompts[Array]:
        """The same prompts with the logits of an earlier prediction, (N, 1, 4h, 4w), as mask prompts."""
        return replace(self, masks=masks, has_mask=None)


@dataclass(frozen=True)
class Prediction(Generic[Array]):
    """What the mask decoder says of N prompts.

    Attributes:
        logits: (N, M, 4h, 4w) mask logits at a quarter of the input's resolution, above 0 is foreground.
        iou: (N, M) predicted IoU of each mask.
    """

    logits: Array
    iou: Array

    def best(self) -> Prediction[Array]:
        """The mask with the highest predicted IoU of each prompt: M becomes 1."""
        index = self.iou.argmax(1)
        rows = _numbered(index)
        return Prediction(self.logits[rows, index][:, None], self.iou[rows, index][:, None])

    def single(self) -> Prediction[Array]:
        """The mask for an unambiguous prompt, of all four."""
        return Prediction(self.logits[:, :1], self.iou[:, :1])

    def several(self) -> Prediction[Array]:
        """The three masks for an ambiguous prompt, of all four."""
        return Prediction(self.logits[:, 1:], self.iou[:, 1:])


def _numbered(rows: Array) -> Array:
    """0 to N - 1, of the kind and on the device of (N,) rows."""
    if isinstance(rows, np.ndarray):
        return np.arange(len(rows))
    import torch

    return torch.arange(len(rows), device=rows.device)
