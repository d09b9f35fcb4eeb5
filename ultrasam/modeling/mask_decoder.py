"""Tokens and image to mask logits and predicted IoU."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ultrasam.modeling.kernels.products import linear, transposed
from ultrasam.modeling.layers import MLP, LayerNorm2d
from ultrasam.modeling.transformer import ImageSide, TwoWayTransformer


class MaskDecoder(nn.Module):
    """Predicts one unambiguous mask (token 0) or several for an ambiguous prompt (the other tokens).

    Args:
        transformer: the two-way transformer.
        channels: C, width of tokens and embedding.
        num_multimask_outputs: masks offered for an ambiguous prompt.
        iou_head_depth: layers of the IoU head.
        iou_head_hidden_dim: hidden width of the IoU head.
    """

    def __init__(
        self,
        *,
        transformer: TwoWayTransformer,
        channels: int = 256,
        num_multimask_outputs: int = 3,
        iou_head_depth: int = 3,
        iou_head_hidden_dim: int = 256,
    ) -> None:
        super().__init__()
        self.transformer = transformer
        self.num_mask_tokens = num_multimask_outputs + 1
        self.iou_token = nn.Embedding(1, channels)
        self.mask_tokens = nn.Embedding(self.num_mask_tokens, channels)
        self.output_upscaling = nn.Sequential(
            nn.ConvTranspose2d(channels, channels // 4, kernel_size=2, stride=2),
            LayerNorm2d(channels // 4),
            nn.GELU(),
            nn.ConvTranspose2d(channels // 4, channels // 8, kernel_size=2, stride=2),
            nn.GELU(),
        )
        self.output_hypernetworks_mlps = nn.ModuleList(
            MLP(channels, channels, channels // 8, 3) for _ in range(self.num_mask_tokens)
        )
        self.iou_prediction_head = MLP(channels, iou_head_hidden_dim, self.num_mask_tokens, iou_head_depth)

    def share(self, image_embedding: Tensor, image_pe: Tensor, dense_prompt_embedding: Tensor) -> ImageSide:
        """What all prompts of an image have in common when none of them brings a mask.

        Args:
            image_embedding: (1, C, h, w).
            image_pe: (1, C, h, w).
            dense_prompt_embedding: (1, C, h, w), which stands for "no mask".
        """
        return self.transformer.share(image_embedding + dense_prompt_embedding, image_pe)

    def forward(
        self,
        image_embeddings: Tensor | ImageSide,
        image_pe: Tensor,
        sparse_prompt_embeddings: Tensor,
        dense_prompt_embeddings: Tensor,
        multimask_output: bool | None,
        image_index: Tensor | None = None,
        sparse_mask: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Decode N prompts; called as in segment-anything, the last two arguments are ours.

        Args:
            image_embeddings: (B, C, h, w) of the image encoder, or what `share` made of one of them; dense
                prompts and image indices then do not count any more.
            image_pe: (1, C, h, w) position code of the embedding.
            sparse_prompt_embeddings: (N, T, C) tokens of points and box corners.
            dense_prompt_embeddings: (N, C, h, w) of the mask prompts.
            multimask_output: several masks (tokens 1 and up) instead of the single one (token 0); None for
                all of them.
            image_index: (N,) the image of each prompt; None when B is 1.
            sparse_mask: (N, T) bool, False for tokens that only fill up ragged rows.

        Returns:
            logits (N, M, 4h, 4w) and predicted IoU (N, M).
        """
        n = sparse_prompt_embeddings.shape[0]
        outputs = torch.cat([self.iou_token.weight, self.mask_tokens.weight])
        tokens = torch.cat([outputs.expand(n, -1, -1), sparse_prompt_embeddings], dim=1)
        token_mask = None
        if sparse_mask is not None:
            token_mask = torch.cat([sparse_mask.new_ones(n, len(outputs)), sparse_mask], dim=1)
        image: Tensor | ImageSide
        if isinstance(image_embeddings, ImageSide):
            image = image_embeddings
        else:
            image = image_embeddings if image_index is None else image_embeddings[image_index]
            image = image + dense_prompt_embeddings
        tokens, flat = self.transformer(image, image_pe, tokens, token_mask)

        # Only the masks that are asked for are made; in training every token's kernel gets its gradient.
        every = range(self.num_mask_tokens)
        wanted = every if multimask_output is None else every[1:] if multimask_output else every[:1]
        made = every if torch.is_grad_enabled() else wanted
        kernels = torch.stack([self.output_hypernetworks_mlps[i](tokens[:, 1 + i]) for i in made], dim=1)
        logits = self._logits(flat, kernels, (image_pe.shape[-2], image_pe.shape[-1]))
        iou = self.iou_prediction_head(tokens[:, 0])
        if len(made) > len(wanted):
            logits = logits[:, wanted.start : wanted.stop]
        return logits, iou[:, wanted.start : wanted.stop]

    def _logits(self, flat: Tensor, kernels: Tensor, size: tuple[int, int]) -> Tensor:
        """Image tokens (N, h*w, C) and kernels (N, M, C/8) -> logits (N, M, 4h, 4w).

        A transposed convolution whose kernel is its stride makes four cells of each cell by itself: a linear
        layer. So channels stay last, which norm and products like, and only the logits are put in order.
        """
        first, norm, act, second, _ = self.output_upscaling
        assert isinstance(norm, LayerNorm2d)
        x = _fourfold(flat, first)
        x = act(F.layer_norm(x, norm.weight.shape, norm.weight, norm.bias, norm.eps))
        x = act(_fourfold(x, second))
        logits = transposed(x.flatten(1, 3), kernels)
        # Rows are (y, x, dy, dx, ddy, ddx).
        logits = logits.unflatten(1, (*size, 2, 2, 2, 2)).permute(0, 7, 1, 3, 5, 2, 4, 6)
        return logits.flatten(5, 7).flatten(2, 4)


def _fourfold(x: Tensor, layer: nn.Module) -> Tensor:
    """A 2 x 2 transposed convolution of stride 2 on channels-last cells, (..., C) -> (..., 4, C')."""
    weight, bias = layer.get_parameter("weight"), layer.get_parameter("bias")
    out = linear(x, weight.permute(2, 3, 1, 0).flatten(0, 2), bias.repeat(4))
    return out.unflatten(-1, (4, weight.shape[1]))
