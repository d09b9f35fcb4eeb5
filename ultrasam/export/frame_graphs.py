"""Graphs for clients that have Segment Anything's 1024 pixels written into their code, around any model.

Such clients hand on pictures of up to 1024 pixels a side, which may be laid out with black to the right and
below, then coordinates in them and a mask prompt of 256 x 256. A small model would see a tall picture in such
a frame at two thirds of its size, and its masks would get worse by as much. So the encoder leaves the black
out, and an additional channel of the embedding, which clients pass on as it is, says how much it has seen.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ultrasam import preprocess
from ultrasam.export.graphs import DecoderGraph, Refusal, example_prompts
from ultrasam.modeling.sam import Sam

#: Side of the frame in pixels that clients lay pictures in, and of their mask prompts in cells.
FRAME, MASK_CELLS = 1024, 256
#: Logit of what the encoder has not seen.
NOT_SEEN = -10.0


class FrameEncoder(nn.Module):
    """The image encoder for a picture (h, w, 3), RGB in 0..255, of at most 1024 pixels a side.

    What is left of it without black rows at the bottom and black columns at the right is resized as for
    `Predictor`. Running the graph on larger pictures is an error.
    """

    def __init__(self, model: Sam) -> None:
        super().__init__()
        self.encoder = model.image_encoder
        self.size = model.img_size
        self.normalization = model.usage.normalization
        self.check = f"sides_must_be_at_most_{FRAME}"
        self.add_module(self.check, Refusal())

    def forward(self, input_image: Tensor) -> Tensor:
        """A picture to embeddings (1, C + 1, h, w); the last channel begins with rows and columns seen."""
        features, picture = self.seen(input_image)
        cells = features[:, :1]
        noted = torch.cat([torch._shape_as_tensor(picture)[2:].float(), cells.flatten()[2:] * 0])
        return torch.cat([features, noted.reshape_as(cells)], dim=1)

    def seen(self, input_image: Tensor) -> tuple[Tensor, Tensor]:
        """Features (1, C, h, w), and the picture (1, 3, H, W) without the black round it."""
        x = input_image.permute(2, 0, 1)[None]
        sides = torch._shape_as_tensor(x)[2:]
        x = self.get_submodule(self.check)(x, (sides.max() - FRAME).clamp(min=0))
        brightest = x.amax(dim=(0, 1))
        seen = torch.stack([_extent(brightest.amax(dim=1)), _extent(brightest.amax(dim=0))])
        # Tensors stand for sizes in a traced graph.
        picture = x[:, :, : seen[0], : seen[1]]
        resized: Any = tuple(resized_sides(seen, self.size).unbind())
        x = F.interpolate(picture, resized, mode="bilinear", align_corners=False)
        # Whole numbers, as images have them.
        x = preprocess.normalize(x.round(), self.normalization)
        x = torch.cat([x, x.new_zeros(1, 3, self.size, x.shape[3])], dim=2)[:, :, : self.size]
        x = torch.cat([x, x.new_zeros(1, 3, self.size, self.size)], dim=3)[:, :, :, : self.size]
        return self.encoder(x), picture


class FrameDecoder(nn.Module):
    """The decoder's graph for coordinates in the frame and mask prompts of 256 x 256; gives one mask."""

    def __init__(self, model: Sam) -> None:
        super().__init__()
        self.decoder = DecoderGraph(model, single_mask=True)
        self.size = model.img_size
        self.cells = model.prompt_encoder.mask_input_size

    def forward(
        self,
        image_embeddings: Tensor,
        point_coords: Tensor,
        point_labels: Tensor,
        mask_input: Tensor,
        has_mask_input: Tensor,
        orig_im_size: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """As `DecoderGraph.forward`.

        Args:
            image_embeddings: (1, C + 1, h, w) of `FrameEncoder`.
            point_coords: (N, K, 2) in the frame.
            point_labels: (N, K).
            mask_input: (1 or N, 1, 256, 256) logits, as given back.
            has_mask_input: (1,).
            orig_im_size: (2,) height and width of the picture, or of the frame that it lies in; the longer
                one is what 1024 pixels of the frame are.

        Returns:
            mask logits (N, 1, H, W), predicted IoU (N, 1), low-resolution logits (N, 1, 256, 256).
        """
        features, noted = image_embeddings[:, :-1], image_embeddings[:, -1:]
        seen = noted.flatten()[:2].round().long()
        resized = resized_sides(seen, self.size)
        scale = resized.float() / seen.float()
        mask_input = F.interpolate(mask_input, self.cells, mode="bilinear", align_corners=False)
        coords = clicked(point_coords, point_labels) * scale.flip(0) - 0.5
        low, iou = self.decoder.low(features, coords, point_labels, mask_input, has_mask_input)
        full = F.interpolate(low, (self.size, self.size), mode="bilinear", align_corners=False)
        full = full[..., : resized[0], : resized[1]]
        full = whole(full, orig_im_size, seen)
        return full, iou, F.interpolate(low, (MASK_CELLS, MASK_CELLS), mode="bilinear", align_corners=False)

    @staticmethod
    def example(model: Sam) -> tuple[Tensor, ...]:
        """Inputs of the graph, random."""
        features, coords, labels, _, has_mask, _ = example_prompts(model)
        noted = torch.zeros_like(features[:, :1])
        noted[0, 0, 0, 0], noted[0, 0, 0, 1] = FRAME // 2, FRAME
        mask = torch.randn(1, 1, MASK_CELLS, MASK_CELLS)
        size = torch.tensor([FRAME // 2, FRAME]).float()
        scale = FRAME / model.img_size
        return torch.cat([features, noted], dim=1), coords * scale, labels, mask, has_mask, size


def clicked(coords: Tensor, labels: Tensor) -> Tensor:
    """Continuous coordinates: clicks are on pixels, whose centers are meant; corners are where they are."""
    return coords + 0.5 * ((labels == 0) | (labels == 1)).to(coords.dtype)[..., None]


def whole(full: Tensor, orig_im_size: Tensor, seen: Tensor) -> Tensor:
    """Logits (N, 1, h, w) of what is seen in the frame, as those of the picture, or of the whole frame.

    Args:
        full: logits at any size.
        orig_im_size: (2,) height and width that are asked for; the longer one is what 1024 pixels are.
        seen: (2,) rows and columns of the frame that the logits are of.
    """
    original = orig_im_size.float()
    height, width = original.long().unbind()
    shown: Any = tuple(
        torch.floor(seen.float() * (original.max() / FRAME) + 0.5).long().clamp(min=1).unbind()
    )
    full = F.interpolate(full, shown, mode="bilinear", align_corners=False)
    return _padded(_padded(full, height, 2), width, 3)


def _padded(full: Tensor, side: Tensor, dim: int) -> Tensor:
    """Rows or columns up to a number of them, known when the graph runs; others are cut off."""
    shape: Any = [*full.shape]
    shape[dim] = side
    more = torch.full(shape, NOT_SEEN, dtype=full.dtype)
    cut: Any = side
    return torch.cat([full, more], dim=dim).narrow(dim, 0, cut)


def _extent(brightest: Tensor) -> Tensor:
    """How many of n rows or columns there are up to the last that is not black; n where all are."""
    number = torch.ones_like(brightest).cumsum(0)
    last = (number * (brightest > 0)).max()
    return torch.where(last > 0, last, number.max()).long()


def resized_sides(sides: Tensor, size: int) -> Tensor:
    """`preprocess.Geometry.resized` of sides (2,)."""
    return torch.floor(sides.float() * (size / sides.max().float()) + 0.5).long().clamp(min=1)
