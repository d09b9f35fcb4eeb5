"""The published UltraSam's names and its doubled residual."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from ultrasam.checkpoints.renaming import Table
from ultrasam.errors import CheckpointError

_ENCODER = (
    ("image_encoder.patch_embed.proj.", "patch_embed.projection."),
    ("image_encoder.blocks.{n}.norm{k}.", "layers.{n}.ln{k}."),
    ("image_encoder.blocks.{n}.mlp.lin1.", "layers.{n}.ffn.layers.0.0."),
    ("image_encoder.blocks.{n}.mlp.lin2.", "layers.{n}.ffn.layers.1."),
    ("image_encoder.blocks.{n}.", "layers.{n}."),
    ("image_encoder.neck.", "channel_reduction."),
    ("image_encoder.pos_embed", "pos_embed"),
)
#: mmpretrain's ``ViTSAM``, which the published detector has for a backbone.
VITSAM = Table(_ENCODER)
_TRANSFORMER = "mask_decoder.transformer."
_DECODER = (
    (f"{_TRANSFORMER}layers.{{n}}.mlp.lin1.", "decoder.layers.{n}.mlp.layers.0.0."),
    (f"{_TRANSFORMER}layers.{{n}}.mlp.lin2.", "decoder.layers.{n}.mlp.layers.1."),
    (f"{_TRANSFORMER}norm_final_attn.", "decoder.post_norm."),
    (f"{_TRANSFORMER}layers.{{n}}.{{s}}.out_proj.", "decoder.layers.{n}.{s}.attn.out_proj."),
    (f"{_TRANSFORMER}{{s}}.out_proj.", "decoder.{s}.attn.out_proj."),
    *(
        row
        for part in "qkv"
        for row in (
            (
                f"{_TRANSFORMER}layers.{{n}}.{{s}}.{part}_proj.weight",
                f"decoder.layers.{{n}}.{{s}}.attn.{part}_proj_weight",
            ),
            (f"{_TRANSFORMER}{{s}}.{part}_proj.weight", f"decoder.{{s}}.attn.{part}_proj_weight"),
        )
    ),
    (_TRANSFORMER, "decoder."),
    ("mask_decoder.", "bbox_head."),
)
_TABLE = Table((*((ours, f"backbone.{theirs}") for ours, theirs in _ENCODER), *_DECODER))
_LABEL_TABLE = "prompt_encoder.label_encoder.label_embedding.weight"
#: Rows of the published table that holds every learned token.
_LABEL_ROWS = (
    ("prompt_encoder.no_mask_embed.weight", slice(0, 1)),
    ("prompt_encoder.point_embeddings.0.weight", slice(1, 2)),
    ("prompt_encoder.point_embeddings.1.weight", slice(2, 3)),
    ("prompt_encoder.point_embeddings.2.weight", slice(3, 4)),
    ("prompt_encoder.point_embeddings.3.weight", slice(4, 5)),
    ("prompt_encoder.not_a_point_embed.weight", slice(5, 6)),
    ("mask_decoder.mask_tokens.weight", slice(6, 10)),
    ("mask_decoder.iou_token.weight", slice(10, 11)),
)
_LABELS = 11
_BIAS = ".attn.in_proj_bias"


def is_published(names: Iterable[str]) -> bool:
    """Whether the names are those of the published UltraSam: its backbone, and its decoder or head."""
    names = list(names)
    return any(n.startswith("backbone.layers.") for n in names) and any(
        n.startswith(("decoder.", "bbox_head.")) for n in names
    )


def from_published(state: Mapping[str, Tensor], *, fold: bool = True) -> tuple[dict[str, Tensor], list[str]]:
    """The published UltraSam's parameters under Meta's names.

    Args:
        state: parameters with the published names.
        fold: undo the decoder's doubled MLP residual. The published decoder computes LN(2q + W r + b),
            which is LN(q + (W r + b) / 2) up to the norm's eps: halving the MLP's last layer gives the
            same masks on the standard network. Switch it off for files that hold Segment Anything's
            decoder under the published names.

    Returns:
        The renamed parameters, and the names of those that were halved.

    Raises:
        CheckpointError: a parameter that stands for several does not have their shape.
    """
    split: dict[str, Tensor] = {}
    plain: dict[str, Tensor] = {}
    for name, value in state.items():
        if name == _LABEL_TABLE:
            if value.dim() != 2 or len(value) != _LABELS:
                raise CheckpointError(f"{name} is {tuple(value.shape)}, the published one has {_LABELS} rows")
            split.update({target: value[rows] for target, rows in _LABEL_ROWS})
        elif name.endswith(_BIAS):
            if value.dim() != 1 or len(value) % 3:
                raise CheckpointError(f"{name} is {tuple(value.shape)}, and not three vectors in one")
            stem = _TRANSFORMER + name[len("decoder.") : -len(_BIAS)]
            for part, chunk in zip("qkv", value.chunk(3), strict=True):
                split[f"{stem}.{part}_proj.bias"] = chunk
        else:
            plain[name] = value
    renamed = {**_TABLE.to_ours(plain), **split}
    return halve(renamed) if fold else (renamed, [])


def to_published(state: Mapping[str, Tensor], *, unfold: bool = True) -> dict[str, Tensor]:
    """The inverse of `from_published`: Meta's names to the published ones.

    Args:
        state: parameters with Meta's names.
        unfold: double the layers that `from_published` halves, so that the published code, which doubles
            the residual, gives the same masks.
    """
    plain = dict(state)
    if unfold:
        plain.update({name: plain[name] * 2 for name in folded_names(plain)})
    rows = [plain.pop(name) for name, _ in _LABEL_ROWS]
    biases: dict[str, list[Tensor]] = {}
    for name in [n for n in plain if re.fullmatch(r".*transformer\..*\.[qkv]_proj\.bias", n)]:
        stem = name[len(_TRANSFORMER) : -len(".q_proj.bias")]
        biases.setdefault(stem, [])
    for stem, parts in biases.items():
        parts += [plain.pop(f"{_TRANSFORMER}{stem}.{part}_proj.bias") for part in "qkv"]
    renamed = _TABLE.to_theirs(plain)
    renamed.update({f"decoder.{stem}{_BIAS}": torch.cat(parts) for stem, parts in biases.items()})
    renamed[_LABEL_TABLE] = torch.cat(rows)
    return renamed


def folded_names(names: Iterable[str]) -> list[str]:
    """The last layers of the decoder's MLPs, under Meta's names."""
    pattern = re.compile(r"mask_decoder\.transformer\.layers\.\d+\.mlp\.lin2\..*")
    return sorted(n for n in names if pattern.fullmatch(n))


def halve(state: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], list[str]]:
    """Halve the last layers of the decoder's MLPs; which ones they were."""
    folded = folded_names(state)
    return {n: v * 0.5 if n in folded else v for n, v in state.items()}, folded
