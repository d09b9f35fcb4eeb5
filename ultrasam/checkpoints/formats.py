"""The formats of others: how to tell them, and their names for our parameters."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ultrasam.checkpoints.published import VITSAM, from_published, halve, is_published
from ultrasam.checkpoints.renaming import Table
from ultrasam.checkpoints.tiny_detection import STEM, without_left_overs
from ultrasam.errors import CheckpointError
from ultrasam.modeling.adapt.lora import merged_state

TIMM = Table(
    (
        ("image_encoder.blocks.{n}.mlp.lin1.", "blocks.{n}.mlp.fc1."),
        ("image_encoder.blocks.{n}.mlp.lin2.", "blocks.{n}.mlp.fc2."),
        ("image_encoder.blocks.", "blocks."),
        ("image_encoder.neck.", "neck."),
        ("image_encoder.patch_embed.", "patch_embed."),
        ("image_encoder.pos_embed", "pos_embed"),
    )
)

_LAYERS = "mask_decoder.transformer.layers.{n}."
_MLPS = (
    ("mask_decoder.output_hypernetworks_mlps.{n}.", "mask_decoder.output_hypernetworks_mlps.{n}."),
    ("mask_decoder.iou_prediction_head.", "mask_decoder.iou_prediction_head."),
)
TRANSFORMERS = Table(
    (
        ("image_encoder.patch_embed.proj.", "vision_encoder.patch_embed.projection."),
        ("image_encoder.blocks.{n}.norm{k}.", "vision_encoder.layers.{n}.layer_norm{k}."),
        ("image_encoder.blocks.", "vision_encoder.layers."),
        ("image_encoder.neck.0.", "vision_encoder.neck.conv1."),
        ("image_encoder.neck.1.", "vision_encoder.neck.layer_norm1."),
        ("image_encoder.neck.2.", "vision_encoder.neck.conv2."),
        ("image_encoder.neck.3.", "vision_encoder.neck.layer_norm2."),
        ("image_encoder.", "vision_encoder."),
        (
            "prompt_encoder.pe_layer.positional_encoding_gaussian_matrix",
            "prompt_encoder.shared_embedding.positional_embedding",
        ),
        ("prompt_encoder.point_embeddings.", "prompt_encoder.point_embed."),
        ("prompt_encoder.mask_downscaling.0.", "prompt_encoder.mask_embed.conv1."),
        ("prompt_encoder.mask_downscaling.1.", "prompt_encoder.mask_embed.layer_norm1."),
        ("prompt_encoder.mask_downscaling.3.", "prompt_encoder.mask_embed.conv2."),
        ("prompt_encoder.mask_downscaling.4.", "prompt_encoder.mask_embed.layer_norm2."),
        ("prompt_encoder.mask_downscaling.6.", "prompt_encoder.mask_embed.conv3."),
        (f"{_LAYERS}norm{{k}}.", f"{_LAYERS}layer_norm{{k}}."),
        (
            "mask_decoder.transformer.norm_final_attn.",
            "mask_decoder.transformer.layer_norm_final_attn.",
        ),
        ("mask_decoder.output_upscaling.0.", "mask_decoder.upscale_conv1."),
        ("mask_decoder.output_upscaling.1.", "mask_decoder.upscale_layer_norm."),
        ("mask_decoder.output_upscaling.3.", "mask_decoder.upscale_conv2."),
        *(
            (f"{ours}layers.{number}.", f"{theirs}{layer}.")
            for ours, theirs in _MLPS
            for number, layer in ((0, "proj_in"), (1, "layers.0"), (2, "proj_out"))
        ),
    )
)
#: transformers has the position code's matrix under two names; folders it saves itself hold the second alone.
PROMPT_EMBEDDING = "prompt_encoder.shared_embedding.positional_embedding"
SHARED_EMBEDDING = "shared_image_embedding.positional_embedding"


def kind_of(state: Mapping[str, Tensor]) -> str:
    """``sam``, ``mobile-sam``, ``ultrasam``, ``transformers``, ``timm``, ``mmpretrain``, or ``unknown``."""
    if is_published(state):
        return "ultrasam"
    tests = (
        ("sam", "image_encoder.blocks.0."),
        ("mobile-sam", STEM),
        ("transformers", "vision_encoder.layers.0."),
        ("timm", "blocks.0.attn.qkv."),
        ("mmpretrain", "layers.0.ffn.layers.0.0."),
        ("mmpretrain", "backbone.layers.0.ffn.layers.0.0."),
    )
    return next((kind for kind, begin in tests if any(n.startswith(begin) for n in state)), "unknown")


def named_as_sam(
    state: Mapping[str, Tensor], *, fold_residual: bool | None = None
) -> tuple[dict[str, Tensor], str, list[str]]:
    """Parameters under Meta's names, where they came from, and which were folded.

    A checkpoint of a LoRA training is merged: what comes back is an ordinary one.

    Args:
        state: parameters under the names of any format that `kind_of` knows.
        fold_residual: halve the last layer of the decoder's MLPs; None does it for the published names.

    Raises:
        CheckpointError: what belongs together does not fit together.
    """
    state = merged_state(state)
    kind = kind_of(state)
    if kind == "ultrasam":
        renamed, folded = from_published(state, fold=fold_residual is not False)
        return renamed, kind, folded
    renamed = _renamed(state, kind)
    if fold_residual:
        renamed, folded = halve(renamed)
        return renamed, kind, folded
    return renamed, kind, []


def _with_one_embedding(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    own = dict(state)
    shared = own.pop(SHARED_EMBEDDING, None)
    if shared is not None and not torch.equal(own.setdefault(PROMPT_EMBEDDING, shared), shared):
        raise CheckpointError(
            f"{PROMPT_EMBEDDING} and {SHARED_EMBEDDING} are one matrix in transformers, and differ here"
        )
    return own


def _renamed(state: Mapping[str, Tensor], kind: str) -> dict[str, Tensor]:
    if kind == "transformers":
        return TRANSFORMERS.to_ours(_with_one_embedding(state))
    if kind == "mobile-sam":
        return without_left_overs(state)
    if kind == "timm":
        return TIMM.to_ours({k: v for k, v in state.items() if not k.startswith("head.")})
    if kind == "mmpretrain":
        own = {k.removeprefix("backbone."): v for k, v in state.items() if not k.startswith("head.")}
        return VITSAM.to_ours(own)
    return dict(state)
