"""The three parts joined: images once, any number of prompts on them."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ultrasam import preprocess
from ultrasam.errors import PromptError
from ultrasam.modeling.image_encoder import ImageEncoderViT
from ultrasam.modeling.mask_decoder import MaskDecoder
from ultrasam.modeling.prompt_encoder import PromptEncoder
from ultrasam.modeling.transformer import ImageSide
from ultrasam.types import Prediction, Prompts


class Sam(nn.Module):
    """A promptable segmenter.

    It has what ``SamPredictor`` and ``SamAutomaticMaskGenerator`` of segment-anything use of a model, so
    both run on it unchanged.

    Args:
        image_encoder: images to embeddings.
        prompt_encoder: prompts to tokens.
        mask_decoder: tokens and embeddings to masks.
    """

    mask_threshold = 0.0
    image_format = "RGB"
    #: Prompts decoded together without gradients, by device type: a CPU is quickest within its cache.
    decode_chunk: dict[str, int] = {"cpu": 1}  # noqa: RUF012
    #: Prompts of one image from which on it pays to prepare the image's side for all of them.
    share_from = 4

    def __init__(
        self, *, image_encoder: ImageEncoderViT, prompt_encoder: PromptEncoder, mask_decoder: MaskDecoder
    ) -> None:
        super().__init__()
        self.image_encoder = image_encoder
        self.prompt_encoder = prompt_encoder
        self.mask_decoder = mask_decoder

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return self.image_encoder.pos_embed.device

    @property
    def img_size(self) -> int:
        """S, side of the square input in pixels."""
        return self.image_encoder.img_size

    def encode_images(self, images: Tensor) -> Tensor:
        """Normalised, padded images (B, 3, S, S) -> embeddings (B, C, h, w)."""
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
        pe = self.prompt_encoder.get_dense_pe()
        if torch.is_grad_enabled() or not len(prompts):
            return self._decode(embeddings, pe, prompts, multimask)
        parts, order = [], []
        for rows, image in self._portions(embeddings, pe, prompts):
            parts.append(self._decode(image, pe, prompts[rows], multimask))
            order.append(rows)
        if len(parts) == 1:
            return parts[0]
        found = Prediction(torch.cat([p.logits for p in parts]), torch.cat([p.iou for p in parts]))
        if len(embeddings) == 1:
            return found
        back = torch.cat(order).argsort()
        return Prediction(found.logits[back], found.iou[back])

    def forward(self, images: Tensor, prompts: Prompts, *, multimask: bool) -> Prediction:
        """Images (B, 3, S, S) and prompts on them, in one go."""
        return self.decode(self.encode_images(images), prompts, multimask=multimask)

    def preprocess(self, x: Tensor) -> Tensor:
        """Resized RGB images (..., 3, h, w) in 0..255 -> (..., 3, S, S), as segment-anything."""
        return preprocess.pad(preprocess.normalize(x), self.img_size)

    def postprocess_masks(
        self, masks: Tensor, input_size: tuple[int, ...], original_size: tuple[int, ...]
    ) -> Tensor:
        """Logits (N, M, 4h, 4w) -> logits (N, M, H, W) in the original image, as segment-anything."""
        size = (self.img_size, self.img_size)
        masks = F.interpolate(masks, size, mode="bilinear", align_corners=False)
        masks = masks[..., : input_size[0], : input_size[1]]
        return F.interpolate(masks, tuple(original_size), mode="bilinear", align_corners=False)

    def _portions(
        self, embeddings: Tensor, pe: Tensor, prompts: Prompts
    ) -> Iterator[tuple[Tensor, Tensor | ImageSide]]:
        """Rows of prompts to be decoded together, and their images; a CPU goes image by image."""
        device = embeddings.device
        chunk = self.decode_chunk.get(device.type, 256)
        every = torch.arange(len(prompts), device=device)
        groups = [every]
        if len(embeddings) > 1 and device.type == "cpu":
            groups = [every[prompts.image_index == i] for i in prompts.image_index.unique()]
        for rows in groups:
            image: Tensor | ImageSide = embeddings
            one_image = len(embeddings) == 1 or len(groups) > 1
            if one_image and prompts.masks is None and len(rows) >= self.share_from:
                embedding = embeddings[prompts.image_index[rows[:1]]]
                image = self.mask_decoder.share(
                    embedding, pe, self.prompt_encoder.encode(prompts[rows[:1]])[2]
                )
            for part in rows.split(chunk):
                yield part, image

    def _decode(
        self, image: Tensor | ImageSide, pe: Tensor, prompts: Prompts, multimask: bool | None
    ) -> Prediction:
        sparse, sparse_mask, dense = self.prompt_encoder.encode(prompts)
        logits, iou = self.mask_decoder(
            image,
            pe,
            sparse,
            dense,
            multimask_output=multimask,
            image_index=prompts.image_index,
            sparse_mask=sparse_mask,
        )
        return Prediction(logits, iou)

    def _check(self, embeddings: Tensor, prompts: Prompts) -> None:
        index = prompts.image_index
        if not index.is_cuda and len(index) and (int(index.min()) < 0 or int(index.max()) >= len(embeddings)):
            raise PromptError(
                f"image_index runs from {int(index.min())} to {int(index.max())}, "
                f"the batch has {len(embeddings)} images"
            )
        if (
            prompts.masks is not None
            and tuple(prompts.masks.shape[-2:]) != self.prompt_encoder.mask_input_size
        ):
            raise PromptError(
                f"mask prompts must be {self.prompt_encoder.mask_input_size} logits, "
                f"got {tuple(prompts.masks.shape[-2:])}"
            )
