"""Points, boxes and masks to tokens and maps that the decoder understands."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ultrasam.modeling.layers import LayerNorm2d, PositionEmbeddingRandom
from ultrasam.types import PADDING, Prompts, pixel_centers

#: segment-anything's label of a "point that is none", which it appends to points given without a box.
NOT_A_POINT = -1
_TOP_LEFT, _BOTTOM_RIGHT = 2, 3


class PromptEncoder(nn.Module):
    """Encodes the prompts of N objects.

    Args:
        embed_dim: C, width of the embeddings.
        image_embedding_size: (h, w) of the image embedding.
        input_image_size: (H, W) of the network's input in pixels.
        mask_in_chans: hidden channels of the mask prompt's encoder.
    """

    def __init__(
        self,
        *,
        embed_dim: int = 256,
        image_embedding_size: tuple[int, int] = (64, 64),
        input_image_size: tuple[int, int] = (1024, 1024),
        mask_in_chans: int = 16,
    ) -> None:
        super().__init__()
        self.embed_dim = embed_dim
        self.image_embedding_size = image_embedding_size
        self.input_image_size = input_image_size
        self.mask_input_size = (4 * image_embedding_size[0], 4 * image_embedding_size[1])
        self.pe_layer = PositionEmbeddingRandom(embed_dim // 2)
        # Rows: negative point, positive point, top-left and bottom-right corner of a box.
        self.point_embeddings = nn.ModuleList(nn.Embedding(1, embed_dim) for _ in range(4))
        self.not_a_point_embed = nn.Embedding(1, embed_dim)
        self.mask_downscaling = nn.Sequential(
            nn.Conv2d(1, mask_in_chans // 4, kernel_size=2, stride=2),
            LayerNorm2d(mask_in_chans // 4),
            nn.GELU(),
            nn.Conv2d(mask_in_chans // 4, mask_in_chans, kernel_size=2, stride=2),
            LayerNorm2d(mask_in_chans),
            nn.GELU(),
            nn.Conv2d(mask_in_chans, embed_dim, kernel_size=1),
        )
        self.no_mask_embed = nn.Embedding(1, embed_dim)

    def get_dense_pe(self) -> Tensor:
        """Position code of the image embedding: (1, C, h, w)."""
        return self.pe_layer(self.image_embedding_size)[None]

    def forward(
        self, points: tuple[Tensor, Tensor] | None, boxes: Tensor | None, masks: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Encode as segment-anything does, for code that is written for it.

        Coordinates are its pixel indices, see `ultrasam.types`; labels may hold `NOT_A_POINT`, which is a
        token like any other.

        Args:
            points: coordinates (N, K, 2) and labels (N, K).
            boxes: (N, 4) xyxy.
            masks: (N, 1, 4h, 4w) logits.

        Returns:
            sparse (N, T, C) and dense (N, C, h, w) embeddings.
        """
        parts = []
        if points is not None:
            coords, labels = pixel_centers(points[0]), points[1].long()
            if boxes is None:
                coords = torch.cat([coords, coords.new_zeros(len(coords), 1, 2)], dim=1)
                labels = torch.cat([labels, labels.new_full((len(labels), 1), NOT_A_POINT)], dim=1)
            parts.append(self._embed(coords, labels))
        if boxes is not None:
            parts.append(self._embed_boxes(pixel_centers(boxes.reshape(-1, 4))))
        if parts:
            sparse = torch.cat(parts, dim=1)
        else:
            n = 1 if masks is None else len(masks)
            sparse = self.no_mask_embed.weight.new_zeros(n, 0, self.embed_dim)
        return sparse, self._dense(masks, None, len(sparse))

    def encode(self, prompts: Prompts) -> tuple[Tensor, Tensor | None, Tensor]:
        """Encode N prompts of any mixture.

        An object's tokens are its points, its box corners, and, for points without a box, the closing
        not-a-point token that Segment Anything was trained with. Slots that an object does not use are
        masked, so a ragged batch gives what the objects would give one by one.

        Returns:
            sparse (N, T, C); mask (N, T) bool, False for unused slots, or None where all are used;
            dense (N, C, h, w).
        """
        n = len(prompts)
        parts, used = [], []
        has_box = prompts.image_index.new_zeros(n, dtype=torch.bool)
        if prompts.boxes is not None:
            has_box = ~prompts.boxes.isnan().any(dim=1)
        if prompts.points is not None and prompts.labels is not None:
            is_point = prompts.labels != PADDING
            closes = is_point.any(dim=1, keepdim=True) & ~has_box[:, None]
            coords = torch.cat([prompts.points, prompts.points.new_zeros(n, 1, 2)], dim=1)
            labels = torch.cat([prompts.labels, prompts.labels.new_full((n, 1), NOT_A_POINT)], dim=1)
            parts.append(self._embed(coords, labels))
            used.append(torch.cat([is_point, closes], dim=1))
        if prompts.boxes is not None:
            parts.append(self._embed_boxes(prompts.boxes.nan_to_num()))
            used.append(has_box[:, None].expand(n, 2))
        dense = self._dense(prompts.masks, prompts.has_mask, n)
        if not parts:
            return dense.new_zeros(n, 0, self.embed_dim), None, dense
        sparse, mask = torch.cat(parts, dim=1), torch.cat(used, dim=1)
        if mask.is_cuda:
            # Finding out which slots are unused would make the host wait for the GPU at every step.
            return sparse, mask, dense
        columns = mask.any(dim=0)
        sparse, mask = sparse[:, columns], mask[:, columns]
        return sparse, None if mask.all() else mask, dense

    def _embed(self, coords: Tensor, labels: Tensor) -> Tensor:
        """Coordinates (N, K, 2) with token kinds (N, K), -1 to 3 -> (N, K, C); -1 has no position."""
        height, width = self.input_image_size
        # By numbers, not by a tensor of both: that would have to be copied to a GPU.
        relative = torch.stack([coords[..., 0] / width, coords[..., 1] / height], dim=-1)
        rows = [self.not_a_point_embed, *self.point_embeddings]
        table = torch.cat([row.get_parameter("weight") for row in rows])
        position = self.pe_layer.encode(relative)
        return torch.where((labels == NOT_A_POINT)[..., None], 0.0, position) + table[labels + 1]

    def _embed_boxes(self, boxes: Tensor) -> Tensor:
        """Boxes (N, 4) -> (N, 2, C)."""
        kinds = torch.arange(_TOP_LEFT, _BOTTOM_RIGHT + 1, device=boxes.device).expand(len(boxes), 2)
        return self._embed(boxes.reshape(-1, 2, 2), kinds)

    def _dense(self, masks: Tensor | None, has_mask: Tensor | None, n: int) -> Tensor:
        """Mask prompts (N, 1, 4h, 4w) -> (N, C, h, w), the no-mask embedding where there is none."""
        none = self.no_mask_embed.weight[:, :, None, None].expand(n, -1, *self.image_embedding_size)
        if masks is None:
            return none
        dense = self.mask_downscaling(masks)
        return dense if has_mask is None else torch.where(has_mask[:, None, None, None], dense, none)
