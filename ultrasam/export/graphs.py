"""The network as two graphs, with the names that tools for Segment Anything read.

The encoder goes from ``input_image`` to ``image_embeddings``; the decoder from ``image_embeddings,
point_coords, point_labels, mask_input, has_mask_input, orig_im_size`` to ``masks, iou_predictions,
low_res_masks``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ultrasam import preprocess
from ultrasam.modeling.sam import Sam
from ultrasam.types import pixel_centers

DECODER_INPUTS = (
    "image_embeddings",
    "point_coords",
    "point_labels",
    "mask_input",
    "has_mask_input",
    "orig_im_size",
)
DECODER_OUTPUTS = ("masks", "iou_predictions", "low_res_masks")


class Refusal(nn.Module):
    """Lets a tensor pass whose size is right; running the graph on others fails.

    A graph knows no errors of its own, but one number that is to be reshaped to several is one, and
    the runtime names the node: the module's name in the graph is what people read.
    """

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("one", torch.ones(1))

    def forward(self, x: Tensor, excess: Tensor) -> Tensor:
        """The tensor, unchanged, where the whole number ``excess`` is 0."""
        side = 1 + excess * excess
        # Tensors stand for sizes in a traced graph. Two of them: one alone is taken for "whatever is left".
        shape: Any = (side, side)
        return x * self.get_buffer("one").reshape(shape)


class EncoderGraph(nn.Module):
    """The image encoder as a graph.

    Args:
        model: the model.
        from_pixels: take a resized RGB image (h, w, 3) in 0..255 whose longest side is S, normalize and pad
            it inside (what annotation tools expect); else normalized inputs (B, 3, S, S). Running the graph
            on images of another size is an error.
    """

    def __init__(self, model: Sam, from_pixels: bool) -> None:
        super().__init__()
        self.encoder = model.image_encoder
        self.size = model.img_size
        self.normalization = model.usage.normalization
        self.from_pixels = from_pixels
        self.check = f"longest_side_must_be_{self.size}"
        self.add_module(self.check, Refusal())

    def forward(self, input_image: Tensor) -> Tensor:
        """An image or a batch to embeddings (B, C, h, w)."""
        if not self.from_pixels:
            return self.encoder(input_image)
        x = input_image.permute(2, 0, 1)[None]
        x = self.get_submodule(self.check)(x, torch._shape_as_tensor(x)[2:].max() - self.size)
        x = preprocess.normalize(x, self.normalization)
        # Padding by concatenation: the sides are not known when the graph is made.
        x = torch.cat([x, x.new_zeros(1, 3, self.size, x.shape[3])], dim=2)[:, :, : self.size]
        x = torch.cat([x, x.new_zeros(1, 3, self.size, self.size)], dim=3)[:, :, :, : self.size]
        return self.encoder(x)


class DecoderGraph(nn.Module):
    """Prompt encoder, mask decoder and upsampling as one graph, for N prompts on one image.

    Args:
        model: the model.
        single_mask: give one mask, chosen as segment-anything's export does: the unambiguous one for three
            points or more, else the best of the other three by predicted IoU.
    """

    def __init__(self, model: Sam, single_mask: bool) -> None:
        super().__init__()
        self.prompt_encoder = model.prompt_encoder
        self.mask_decoder = model.mask_decoder
        self.size = model.img_size
        self.single_mask = single_mask
        # The best of three is no choice where three were not trained.
        self.only = model.usage.single
        rows = [model.prompt_encoder.not_a_point_embed, *model.prompt_encoder.point_embeddings]
        self.register_buffer("kinds", torch.cat([row.weight for row in rows]).detach())

    def forward(
        self,
        image_embeddings: Tensor,
        point_coords: Tensor,
        point_labels: Tensor,
        mask_input: Tensor,
        has_mask_input: Tensor,
        orig_im_size: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Prompts to masks.

        Args:
            image_embeddings: (1, C, h, w).
            point_coords: (N, K, 2), pixel indices of the input.
            point_labels: (N, K): 0 outside, 1 inside, 2 and 3 the corners of a box, -1 no point.
            mask_input: (1 or N, 1, 4h, 4w) logits.
            has_mask_input: (1,) 1 if the mask input counts, else 0.
            orig_im_size: (2,) height and width of the image.

        Returns:
            mask logits (N, M, H, W), predicted IoU (N, M), low-resolution logits (N, M, 4h, 4w).
        """
        low, iou = self.low(image_embeddings, point_coords, point_labels, mask_input, has_mask_input)
        return self._enlarge(low, orig_im_size), iou, low

    def low(
        self, embeddings: Tensor, coords: Tensor, labels: Tensor, mask_input: Tensor, has_mask_input: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Low-resolution logits (N, M, 4h, 4w) and predicted IoU (N, M)."""
        low, iou = self.all_masks(embeddings, coords, labels, mask_input, has_mask_input)
        if self.single_mask and self.only:
            return low[:, :1], iou[:, :1]
        return _choose(low, iou, coords.shape[1]) if self.single_mask else (low, iou)

    def all_masks(
        self, embeddings: Tensor, coords: Tensor, labels: Tensor, mask_input: Tensor, has_mask_input: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The unambiguous mask, and the three of an ambiguous prompt."""
        sparse = self._embed(coords, labels)
        none = self.prompt_encoder.no_mask_embed.weight[:, :, None, None]
        dense = has_mask_input * self.prompt_encoder.mask_downscaling(mask_input)
        # Of as many rows as there are prompts, of which those with a mask alone have no tokens.
        each = 0 * sparse.sum(dim=(1, 2))[:, None, None, None]
        dense = dense + (1 - has_mask_input) * none + each
        pe = self.prompt_encoder.get_dense_pe()
        return self.mask_decoder(embeddings, pe, sparse, dense, None)

    def _embed(self, coords: Tensor, labels: Tensor) -> Tensor:
        position = self.prompt_encoder.pe_layer.encode(pixel_centers(coords) / self.size)
        position = position * (labels != -1).to(position.dtype)[..., None]
        return position + self.get_buffer("kinds")[labels.long() + 1]

    def _enlarge(self, low: Tensor, original: Tensor) -> Tensor:
        full = F.interpolate(low, (self.size, self.size), mode="bilinear", align_corners=False)
        original = original.float()
        inside = torch.floor(original * (self.size / original.max()) + 0.5).long()
        full = full[..., : inside[0], : inside[1]]
        # Tensors stand for sizes in a traced graph.
        size: Any = tuple(original.long().unbind())
        return F.interpolate(full, size, mode="bilinear", align_corners=False)


def _choose(low: Tensor, iou: Tensor, points: int) -> tuple[Tensor, Tensor]:
    """One mask of each prompt by the rule of segment-anything's export."""
    prefer = torch.tensor([[1000.0] + [0.0] * (iou.shape[1] - 1)])
    best = (iou + (points - 2.5) * prefer).argmax(dim=1, keepdim=True)
    chosen = best[:, :, None, None].expand(-1, -1, low.shape[2], low.shape[3])
    return low.gather(1, chosen), iou.gather(1, best)


def example_prompts(model: Sam, prompts: int = 2, points: int = 3) -> tuple[Tensor, ...]:
    """Inputs of the decoder's graph, random."""
    channels, (h, w) = model.prompt_encoder.embed_dim, model.prompt_encoder.image_embedding_size
    return (
        torch.randn(1, channels, h, w),
        torch.rand(prompts, points, 2) * model.img_size,
        torch.randint(0, 4, (prompts, points)).float(),
        torch.randn(1, 1, *model.prompt_encoder.mask_input_size),
        torch.tensor([1.0]),
        torch.tensor([model.img_size // 2, model.img_size * 3 // 4]).float(),
    )


@contextmanager
def plain_attention(model: Sam) -> Iterator[None]:
    """Attention by its definition while a graph is made: the quick variants are no shorter as a graph."""
    modules = [module for module in model.image_encoder.modules() if hasattr(module, "implementation")]
    before = [module.implementation for module in modules]
    for module in modules:
        module.implementation = "plain"  # type: ignore[assignment]
    try:
        yield
    finally:
        for module, kept in zip(modules, before, strict=True):
            module.implementation = kept
