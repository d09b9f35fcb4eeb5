"""Graphs for a client that hands on whole pictures and knows one shape of an embedding, around any model.

X-AnyLabeling's type ``efficientvit_sam`` gives the encoder a picture as it is, of any size, and tells the
decoder that size, so that both can do what `Predictor` does. Its code takes embeddings of Segment Anything's
shape alone and scales coordinates as if the longest side were 1024: what the decoder needs is laid out in
numbers of that shape.
"""

from __future__ import annotations

from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ultrasam import preprocess
from ultrasam.errors import ConfigError
from ultrasam.export import fixed_point
from ultrasam.export.graphs import DecoderGraph
from ultrasam.export.pieces import cleaned
from ultrasam.modeling.sam import Sam
from ultrasam.types import NEGATIVE, POSITIVE

#: The client's embedding, its longest side for coordinates, and the side of its mask prompts in cells.
EMBEDDING, TARGET, MASK_CELLS = (1, 256, 64, 64), 1024, 256
#: Numbers that an embedding holds.
ROOM = prod(EMBEDDING)
#: Logit of what belongs to an object for certain.
SURE = 10.0
_TOP_LEFT = 2
#: Places of coordinates are kept to one part of so many of a pixel: scaling costs their last digits.
_PARTS = 64


class PictureEncoder(nn.Module):
    """The image encoder for a picture (h, w, 3) uint8 RGB of any size: to its features, and zeros."""

    def __init__(self, model: Sam) -> None:
        super().__init__()
        self.encoder = model.image_encoder
        self.size = model.img_size
        self.normalization = model.usage.normalization
        if prod(features_of(model)) > ROOM:
            raise ConfigError(
                f"X-AnyLabeling takes embeddings of {ROOM} numbers, and these weights give "
                f"{prod(features_of(model))}"
            )

    def forward(self, input_image: Tensor) -> Tensor:
        """A picture to (1, 256, 64, 64)."""
        return laid_out(self.features(as_batch(input_image)).flatten())

    def features(self, picture: Tensor) -> Tensor:
        """A picture (1, 3, H, W) in 0..255, resized as for `Predictor`, to features (1, C, h, w)."""
        sides = resized_sides(torch._shape_as_tensor(picture)[2:], self.size)
        x = preprocess.normalize(fixed_point.resize(picture, sides), self.normalization)
        return self.encoder(square(x, self.size, 0.0))


class PictureDecoder(nn.Module):
    """One object's mask at the picture's size; see `DecoderGraph` for what goes in and out."""

    def __init__(self, model: Sam) -> None:
        super().__init__()
        self.decoder = DecoderGraph(model, single_mask=True)
        self.size = model.img_size
        self.cells = model.prompt_encoder.mask_input_size
        self.shape = features_of(model)
        self.cleanup = model.usage.cleanup

    def forward(
        self,
        image_embeddings: Tensor,
        point_coords: Tensor,
        point_labels: Tensor,
        mask_input: Tensor,
        has_mask_input: Tensor,
        orig_im_size: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """As `DecoderGraph.forward`, for one object.

        Args:
            image_embeddings: (1, 256, 64, 64) of the encoder.
            point_coords: (1, K, 2) of a picture whose longest side is `TARGET`.
            point_labels: (1, K), without a closing -1.
            mask_input: (1, 1, 256, 256) logits, as given back.
            has_mask_input: (1,).
            orig_im_size: (2,) height and width of the picture.

        Returns:
            mask logits (1, 1, H, W), predicted IoU (1, 1), low-resolution logits (1, 1, 256, 256).
        """
        sides = orig_im_size.round().long()
        features = image_embeddings.flatten()[: prod(self.shape)].reshape(self.shape)
        mask_input = F.interpolate(mask_input, self.cells, mode="bilinear", align_corners=False)
        indices = of_picture(point_coords, sides)
        low, iou = self.all_masks(features, indices, point_labels, mask_input, has_mask_input, sides)
        low, iou = self.one(low, iou, point_labels)
        full = self.shown(low, sides)
        if self.cleanup:
            full = cleaned(full, indices + clicks(point_labels), point_labels, SURE)
        return full, iou, F.interpolate(low, (MASK_CELLS, MASK_CELLS), mode="bilinear", align_corners=False)

    def one(self, low: Tensor, iou: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Of four masks (1, 4, 4h, 4w) the one that `Predictor` gives for a prompt with these labels (1, K).

        Of a single click it is the best of three, else the unambiguous one.
        """
        if self.decoder.only:
            return low[:, :1], iou[:, :1]
        best = 1 + iou[:, 1:].argmax(dim=1, keepdim=True)
        best = torch.where((labels >= 0).sum() == 1, best, torch.zeros_like(best))
        chosen = best[:, :, None, None].expand(-1, -1, low.shape[2], low.shape[3])
        return low.gather(1, chosen), iou.gather(1, best)

    def all_masks(
        self, features: Tensor, indices: Tensor, labels: Tensor, mask: Tensor, has_mask: Tensor, sides: Tensor
    ) -> tuple[Tensor, Tensor]:
        """All four masks for pixel indices of an image of these sides, and edges of a box."""
        scale = resized_sides(sides, self.size).double() / sides.double()
        coords = (indices.double() * scale.flip(0)).float()
        # Points without a box are closed by a token that is no point, as in training.
        closing = (~(labels == _TOP_LEFT).any()).long()
        coords = torch.cat([coords, torch.zeros(1, 1, 2)[:, :closing]], dim=1)
        labels = torch.cat([labels, -torch.ones(1, 1)[:, :closing]], dim=1)
        return self.decoder.all_masks(features, coords, labels, mask, has_mask)

    def shown(self, low: Tensor, sides: Tensor) -> Tensor:
        """Logits in cells (1, 1, 4h, 4w) as the pixels (1, 1, H, W) of an image of these sides."""
        full = F.interpolate(low, (self.size, self.size), mode="bilinear", align_corners=False)
        resized = resized_sides(sides, self.size)
        shape: Any = tuple(sides.unbind())
        full = full[..., : resized[0], : resized[1]]
        return F.interpolate(full, shape, mode="bilinear", align_corners=False)


def features_of(model: Sam) -> tuple[int, int, int, int]:
    """The shape of a picture's features."""
    height, width = model.prompt_encoder.image_embedding_size
    return 1, model.prompt_encoder.embed_dim, height, width


def clicks(labels: Tensor) -> Tensor:
    """How far the place of a point with such a label (1, K) is beyond its index: pixels are clicked at."""
    return ((labels == NEGATIVE) | (labels == POSITIVE)).float()[..., None] / 2


def laid_out(row: Tensor) -> Tensor:
    """A row of numbers in the shape of the client's embeddings, with zeros behind."""
    return torch.cat([row, torch.zeros(ROOM)])[:ROOM].reshape(EMBEDDING)


def as_batch(picture: Tensor) -> Tensor:
    """A picture (h, w, 3) uint8 as (1, 3, h, w) float32."""
    return picture.permute(2, 0, 1)[None].float()


def of_picture(coords: Tensor, sides: Tensor) -> Tensor:
    """The client's coordinates in the picture: pixels that were clicked, by index, and edges of boxes."""
    scale = resized_sides(sides, TARGET).double() / sides.double()
    return ((coords.double() / scale.flip(0) * _PARTS).round() / _PARTS).float()


def resized_sides(sides: Tensor, size: int) -> Tensor:
    """`preprocess.Geometry.resized` of sides (2,)."""
    # One number alone would become float32 in a graph.
    scale = size / sides.double().amax(dim=0, keepdim=True)
    return torch.floor(sides.double() * scale + 0.5).long().clamp(min=1)


def square(x: Tensor, size: int, value: float) -> Tensor:
    """An image (1, C, h, w) with more at the bottom and right up to a square; sides are not known here."""
    channels = x.shape[1]
    # Tensors stand for sizes in a traced graph.
    below: Any = (1, channels, size, x.shape[3])
    x = torch.cat([x, torch.full(below, value, dtype=x.dtype)], dim=2)[:, :, :size]
    return torch.cat([x, torch.full((1, channels, size, size), value, dtype=x.dtype)], dim=3)[..., :size]


def example_prompt() -> tuple[Tensor, ...]:
    """Inputs of the decoder's graph: random numbers for a picture, a box and a click, and a mask."""
    sides = torch.tensor([96.0, 128.0])
    row = torch.rand(ROOM) * 255
    coords = torch.tensor([[[30.0, 20.0], [90.0, 70.0], [50.0, 40.0]]]) * TARGET / sides.max()
    labels = torch.tensor([[2.0, 3.0, 1.0]])
    mask = torch.randn(1, 1, MASK_CELLS, MASK_CELLS)
    return row.reshape(EMBEDDING), coords, labels, mask, torch.ones(1), sides
