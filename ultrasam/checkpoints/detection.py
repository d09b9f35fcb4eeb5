"""Which architecture parameters belong to, told by their shapes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional as F

from ultrasam.errors import CheckpointError
from ultrasam.modeling.build import VARIANTS, Variant


def detect(state: Mapping[str, Tensor]) -> tuple[Variant, str]:
    """The architecture that parameters with Meta's names belong to, and what to call it.

    Raises:
        CheckpointError: they are not those of a promptable segmenter.
    """
    try:
        spec = _encoder(state)
    except KeyError as error:
        names = ", ".join(sorted(state)[:3])
        raise CheckpointError(
            f"these are not the weights of a promptable segmenter: no {error}; it holds {names}, ..."
        ) from error
    if not any(name.startswith("mask_decoder.") for name in state):
        raise CheckpointError(
            f"these are the weights of an image encoder alone ({describe(spec)}): "
            "use ultrasam.load_encoder, or a file that holds the mask decoder too"
        )
    return spec, describe(spec)


def detect_encoder(state: Mapping[str, Tensor]) -> Variant:
    """The architecture of an image encoder, with or without a decoder beside it.

    Raises:
        CheckpointError: there is no image encoder of this kind.
    """
    try:
        return _encoder(state)
    except KeyError as error:
        names = ", ".join(sorted(state)[:3])
        raise CheckpointError(
            f"no Segment Anything image encoder: no {error}; it holds {names}, ..."
        ) from error


def variant_name(spec: Variant) -> str | None:
    """The name in `VARIANTS` of an architecture, whatever its input size; None where it has none."""
    keys = ("embed_dim", "depth", "num_heads", "global_attn_indexes")
    names = (n for n, v in VARIANTS.items() if all(getattr(spec, key) == getattr(v, key) for key in keys))
    return next(names, None)


def describe(spec: Variant) -> str:
    """A variant's name and input size, or its numbers."""
    name = variant_name(spec) or f"width {spec.embed_dim}, {spec.depth} blocks,"
    adapters = f" with adapters of width {spec.adapter}" if spec.adapter else ""
    return f"{name} at {spec.img_size} px{adapters}"


def _encoder(state: Mapping[str, Tensor]) -> Variant:
    projection = state["image_encoder.patch_embed.proj.weight"]
    width, patch = projection.shape[0], projection.shape[-1]
    grid = state["image_encoder.pos_embed"].shape[1]
    pattern = re.compile(r"image_encoder\.blocks\.(\d+)\.attn\.rel_pos_h")
    tables = {int(m[1]): state[m[0]].shape for m in map(pattern.fullmatch, state) if m}
    head = tables[0][1]
    whole = 2 * grid - 1
    windows = {(rows + 1) // 2 for rows, _ in tables.values() if rows != whole}
    neck = state.get("image_encoder.neck.0.weight")
    adapter = state.get("image_encoder.blocks.0.attn_adapter.down.bias")
    found = Variant(
        embed_dim=width,
        depth=len(tables),
        num_heads=width // head,
        global_attn_indexes=tuple(sorted(i for i, (rows, _) in tables.items() if rows == whole)),
        img_size=grid * patch,
        window_size=windows.pop() if windows else 0,
        patch_size=patch,
        out_chans=256 if neck is None else neck.shape[0],
        mlp_ratio=state["image_encoder.blocks.0.mlp.lin1.bias"].shape[0] / width,
        adapter=0 if adapter is None else adapter.shape[0],
    )
    return found if windows else _with_windows(found, grid)


def _with_windows(found: Variant, grid: int) -> Variant:
    """The architecture whose tables all have the whole grid's size: a window may be as wide as the grid.

    Shapes do not tell then which blocks have windows; a known variant does.
    """
    for known in VARIANTS.values():
        same = all(getattr(known, k) == getattr(found, k) for k in ("embed_dim", "depth", "num_heads"))
        if same and known.window_size == grid:
            return replace(
                found, window_size=known.window_size, global_attn_indexes=known.global_attn_indexes
            )
    return found


def resized(
    state: Mapping[str, Tensor], spec: Variant, img_size: int | None
) -> tuple[dict[str, Tensor], Variant]:
    """Parameters whose position tables are brought to another input size, and their architecture then.

    The absolute table is resized bicubically, the relative ones of global blocks linearly, as everywhere in
    this field. Nothing changes where the size is None or the parameters' own.

    Raises:
        CheckpointError: the size is not a multiple of the patch.
    """
    if not img_size or img_size == spec.img_size:
        return dict(state), spec
    if img_size % spec.patch_size:
        raise CheckpointError(f"the input size {img_size} is not a multiple of {spec.patch_size}")
    grid = img_size // spec.patch_size
    found = dict(state)
    table = state["image_encoder.pos_embed"].permute(0, 3, 1, 2)
    table = F.interpolate(table, size=(grid, grid), mode="bicubic", align_corners=False)
    found["image_encoder.pos_embed"] = table.permute(0, 2, 3, 1).contiguous()
    for block in spec.global_attn_indexes:
        for axis in "hw":
            name = f"image_encoder.blocks.{block}.attn.rel_pos_{axis}"
            rows = F.interpolate(state[name].t()[None], size=2 * grid - 1, mode="linear")
            found[name] = rows[0].t().contiguous()
    return found, replace(spec, img_size=img_size)


def not_finite(state: Mapping[str, Tensor]) -> list[str]:
    """Names of parameters that hold NaN or infinity."""
    return [n for n, v in state.items() if v.is_floating_point() and not torch.isfinite(v).all()]
