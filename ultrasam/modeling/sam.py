"""The three parts joined: images once, any number of prompts on them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ultrasam import preprocess
from ultrasam.errors import PromptError
from ultrasam.modeling.image_encoder import ImageEncoderViT
from ultrasam.modeling.kernels import many_prompts
from ultrasam.modeling.mask_decoder import MaskDecoder
from ultrasam.modeling.prompt_encoder import PromptEncoder
from ultrasam.modeling.tiny_vit import ImageEncoderTinyViT
from ultrasam.types import ModelUsage, Prediction, Prompts

ImageEncoder = ImageEncoderViT | ImageEncoderTinyViT


class Sam(nn.Module):
    """A promptable segmenter.

    It has what ``SamPredictor`` and ``SamAutomaticMaskGenerator`` of segment-anything use of a model, so
    both run on it unchanged.

    Args:
        image_encoder: images to embeddings.
        prompt_encoder: prompts to tokens.
        mask_decoder: tokens and embeddings to masks.

    Attributes:
        usage: what the weights want to be used with. It is part of the state dict's metadata, where modules
            keep their versions, so it is saved and loaded with the parameters.
    """

    mask_threshold = 0.0
    image_format = "RGB"

    def __init__(
        self, *, image_encoder: ImageEncoder, prompt_encoder: PromptEncoder, mask_decoder: MaskDecoder
    ) -> None:
        super().__init__()
        self.image_encoder = image_encoder
        self.prompt_encoder = prompt_encoder
        self.mask_decoder = mask_decoder
        self.usage = ModelUsage()
        self.register_state_dict_post_hook(_note_usage)
        self.register_load_state_dict_pre_hook(_take_usage)

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return self.prompt_encoder.no_mask_embed.weight.device

    @property
    def img_size(self) -> int:
        """S, side of the square input in pixels."""
        return self.image_encoder.img_size

    @property
    def mask_stride(self) -> int:
        """Side of a cell of the mask logits, in pixels of the input."""
        return self.img_size // self.prompt_encoder.mask_input_size[0]

    def encode_images(self, images: Tensor) -> Tensor:
        """Normalized, padded images (B, 3, S, S) -> embeddings (B, C, h, w)."""
        return self.image_encoder(images)

    def decode(self, embeddings: Tensor, prompts: Prompts, *, multimask: bool | None) -> Prediction:
        """Masks of N prompts on B encoded images; an instance sees nothing of the others.

        Args:
            embeddings: (B, C, h, w).
            prompts: N prompts in pixels of the input.
            multimask: three masks for an ambiguous prompt instead of the single one; None for all four.

        Raises:
            PromptError: a prompt names an image that is not in the batch, or a mask has another size.
        """
        self._check(embeddings, prompts)
        return many_prompts.decode(self, embeddings, prompts, multimask)

    def decode_at_once(
        self, embeddings: Tensor, image_pe: Tensor, prompts: Prompts, multimask: bool | None
    ) -> Prediction:
        """`decode`, given the position code (1, C, h, w) of the embeddings."""
        sparse, sparse_mask, dense = self.prompt_encoder.encode(prompts)
        index = prompts.image_index
        found = self.mask_decoder(embeddings, image_pe, sparse, dense, multimask, index, sparse_mask)
        return Prediction(*found)

    def forward(self, images: Tensor, prompts: Prompts, *, multimask: bool) -> Prediction:
        """Images (B, 3, S, S) and prompts on them, in one go."""
        return self.decode(self.encode_images(images), prompts, multimask=multimask)

    def preprocess(self, x: Tensor) -> Tensor:
        """Resized RGB images (..., 3, h, w) in 0..255 -> (..., 3, S, S), as segment-anything."""
        return preprocess.pad(preprocess.normalize(x, self.usage.normalization), self.img_size)

    def postprocess_masks(
        self, masks: Tensor, input_size: tuple[int, ...], original_size: tuple[int, ...]
    ) -> Tensor:
        """Logits (N, M, 4h, 4w) -> logits (N, M, H, W) in the original image, as segment-anything."""
        size = (self.img_size, self.img_size)
        masks = F.interpolate(masks, size, mode="bilinear", align_corners=False)
        masks = masks[..., : input_size[0], : input_size[1]]
        return F.interpolate(masks, tuple(original_size), mode="bilinear", align_corners=False)

    def _check(self, embeddings: Tensor, prompts: Prompts) -> None:
        index = prompts.image_index
        if not index.is_cuda and len(index) and (int(index.min()) < 0 or int(index.max()) >= len(embeddings)):
            raise PromptError(
                f"image_index runs from {int(index.min())} to {int(index.max())}, "
                f"the batch has {len(embeddings)} images"
            )
        wanted = self.prompt_encoder.mask_input_size
        if prompts.masks is not None and tuple(prompts.masks.shape[-2:]) != wanted:
            raise PromptError(f"mask prompts must be {wanted} logits, got {tuple(prompts.masks.shape[-2:])}")


def _note_usage(model: Sam, state: dict[str, Any], prefix: str, local_metadata: dict[str, Any]) -> None:
    local_metadata[ModelUsage.KEY] = model.usage.note()


def _take_usage(
    model: Sam, state: dict[str, Any], prefix: str, local_metadata: dict[str, Any], *others: Any
) -> None:
    if ModelUsage.KEY in local_metadata:
        model.usage = ModelUsage.of(local_metadata[ModelUsage.KEY])
