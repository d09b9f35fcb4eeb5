"""Tokens and image to mask logits and predicted IoU."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ultrasam.modeling.kernels.upscaling import mask_logits
from ultrasam.modeling.layers import MLP, LayerNorm2d
from ultrasam.modeling.transformer import TwoWayTransformer


class MaskDecoder(nn.Module):
    """Predicts one unambiguous mask (token 0) or several for an ambiguous prompt (the other tokens).

    Args:
        transformer: the two-way transformer.
        transformer_dim: C, width of tokens and embedding.
        num_multimask_outputs: masks offered for an ambiguous prompt.
        iou_head_depth: layers of the IoU head.
        iou_head_hidden_dim: hidden width of the IoU head.
    """

    def __init__(
        self,
        *,
        transformer: TwoWayTransformer,
        transformer_dim: int = 256,
        num_multimask_outputs: int = 3,
        iou_head_depth: int = 3,
        iou_head_hidden_dim: int = 256,
    ) -> None:
        super().__init__()
        self.transformer = transformer
        self.num_mask_tokens = num_multimask_outputs + 1
        self.iou_token = nn.Embedding(1, transformer_dim)
        self.mask_tokens = nn.Embedding(self.num_mask_tokens, transformer_dim)
        self.output_upscaling = nn.Sequential(
            nn.ConvTranspose2d(transformer_dim, transformer_dim // 4, kernel_size=2, stride=2),
            LayerNorm2d(transformer_dim // 4),
            nn.GELU(),
            nn.ConvTranspose2d(transformer_dim // 4, transformer_dim // 8, kernel_size=2, stride=2),
            nn.GELU(),
        )
        self.output_hypernetworks_mlps = nn.ModuleList(
            MLP(transformer_dim, transformer_dim, transformer_dim // 8, 3)
            for _ in range(self.num_mask_tokens)
        )
        self.iou_prediction_head = MLP(
            transformer_dim, iou_head_hidden_dim, self.num_mask_tokens, iou_head_depth
        )

    def forward(
        self,
        image_embeddings: Tensor,
        image_pe: Tensor,
        sparse_prompt_embeddings: Tensor,
        dense_prompt_embeddings: Tensor,
        multimask_output: bool | None,
        image_index: Tensor | None = None,
        sparse_mask: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Decode N prompts; called as in segment-anything, the last two arguments are ours.

        Args:
            image_embeddings: (B, C, h, w) of the image encoder.
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
        image = image_embeddings if image_index is None else image_embeddings[image_index]
        tokens, token_mask = self.with_output_tokens(sparse_prompt_embeddings, sparse_mask)
        tokens, image = self.transformer(image + dense_prompt_embeddings, image_pe, tokens, token_mask)
        return self.predict(tokens, image, image_pe.shape[2:], multimask_output)

    def with_output_tokens(self, sparse: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Tokens (N, T, C) and their mask (N, T) with those of IoU and masks in front."""
        n = sparse.shape[0]
        outputs = torch.cat([self.iou_token.weight, self.mask_tokens.weight])
        tokens = torch.cat([outputs.expand(n, -1, -1), sparse], dim=1)
        if mask is not None:
            mask = torch.cat([mask.new_ones(n, len(outputs)), mask], dim=1)
        return tokens, mask

    def predict(
        self, tokens: Tensor, image: Tensor, size: Sequence[int], multimask_output: bool | None
    ) -> tuple[Tensor, Tensor]:
        """From what the transformer gives to logits (N, M, 4h, 4w) and IoU (N, M)."""
        every = range(self.num_mask_tokens)
        wanted = every if multimask_output is None else every[1:] if multimask_output else every[:1]
        # Only the masks that are asked for are made; in training every token's MLP gets its gradient.
        made = every if torch.is_grad_enabled() else wanted
        hyper_in = torch.stack([self.output_hypernetworks_mlps[i](tokens[:, 1 + i]) for i in made], dim=1)
        logits = mask_logits(self.output_upscaling, image, size, hyper_in)
        iou = self.iou_prediction_head(tokens[:, 0])
        if len(made) > len(wanted):
            logits = logits[:, wanted.start : wanted.stop]
        return logits, iou[:, wanted.start : wanted.stop]
