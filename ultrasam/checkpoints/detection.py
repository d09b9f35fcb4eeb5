"""Which architecture parameters belong to, told by their shapes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional as F

from ultrasam.checkpoints.parameter_shapes import shape_of
from ultrasam.checkpoints.tiny_detection import is_tiny, tiny_variant
from ultrasam.errors import CheckpointError
from ultrasam.modeling.build import VARIANTS, Variant
from ultrasam.modeling.tiny_vit import TinyVariant


def detect(state: Mapping[str, Tensor], img_size: int = 0) -> tuple[Variant | TinyVariant, str]:
    """The architecture that parameters with Meta's names belong to, and what to call it.

    Args:
        state: the parameters.
        img_size: of the input, as the file notes it where shapes do not tell (`ModelUsage`).

    Raises:
        CheckpointError: they are not those of a promptable segmenter.
    """
    try:
        spec = _any_encoder(state, img_size)
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


def detect_encoder(state: Mapping[str, Tensor], img_size: int = 0) -> Variant | TinyVariant:
    """The architecture of an image encoder, with or without a decoder beside it.

    Raises:
        CheckpointError: there is no image encoder of this kind.
    """
    try:
        return _any_encoder(state, img_size)
    except KeyError as error:
        names = ", ".join(sorted(state)[:3])
        raise CheckpointError(
            f"no Segment Anything image encoder: no {error}; it holds {names}, ..."
        ) from error


def _any_encoder(state: Mapping[str, Tensor], img_size: int) -> Variant | TinyVariant:
    return tiny_variant(state, img_size) if is_tiny(state) else _encoder(state)


def variant_name(spec: Variant | TinyVariant) -> str | None:
    """The name in `VARIANTS` of an architecture, whatever its input size; None where it has none."""
    if isinstance(spec, TinyVariant):
        return next((n for n, v in VARIANTS.items() if v == replace(spec, img_size=v.img_size)), None)
    keys = ("embed_dim", "depth", "num_heads", "global_attn_indexes")
    known = ((n, v) for n, v in VARIANTS.items() if isinstance(v, Variant))
    return next((n for n, v in known if all(getattr(spec, key) == getattr(v, key) for key in keys)), None)


def describe(spec: Variant | TinyVariant) -> str:
    """A variant's name and input size, or its numbers."""
    depth = sum(spec.depths) if isinstance(spec, TinyVariant) else spec.depth
    name = variant_name(spec) or f"width {spec.embed_dim}, {depth} blocks,"
    adapters = f" with adapters of width {spec.adapter}" if spec.adapter else ""
    return f"{name} at {spec.img_size} px{adapters}"


#: Beyond what any image encoder has; the widest known ViT has 6144.
_WIDEST = 16384


def _encoder(state: Mapping[str, Tensor]) -> Variant:
    """The architecture that shapes tell; those that memory depends on are all checked."""
    projection = shape_of(state, "image_encoder.patch_embed.proj.weight", (None, 3, None, None))
    width, patch = projection[0], projection[-1]
    shape_of(state, "image_encoder.patch_embed.proj.weight", (width, 3, patch, patch))
    grid = shape_of(state, "image_encoder.pos_embed", (1, None, None, width))[1]
    shape_of(state, "image_encoder.pos_embed", (1, grid, grid, width))
    pattern = re.compile(r"image_encoder\.blocks\.(\d+)\.attn\.rel_pos_h")
    numbers = sorted(int(m[1]) for m in map(pattern.fullmatch, state) if m)
    head = shape_of(state, "image_encoder.blocks.0.attn.rel_pos_h", (None, None))[1]
    hidden = shape_of(state, "image_encoder.blocks.0.mlp.lin1.bias", (None,))[0]
    if width > _WIDEST or width % head:
        raise CheckpointError(f"a width of {width} with heads of {head} is none of an image encoder")
    if numbers != list(range(len(numbers))):
        raise CheckpointError(
            f"block {min(set(range(len(numbers))) - set(numbers))} of the image encoder is missing"
        )
    rows = [_block_rows(state, number, width, head, hidden) for number in numbers]
    whole = 2 * grid - 1
    windows = {(count + 1) // 2 for count in rows if count != whole}
    found = Variant(
        embed_dim=width,
        depth=len(rows),
        num_heads=width // head,
        global_attn_indexes=tuple(i for i, count in enumerate(rows) if count == whole),
        img_size=grid * patch,
        window_size=windows.pop() if windows else 0,
        patch_size=patch,
        out_chans=_neck(state, width),
        mlp_ratio=hidden / width,
        adapter=_adapter(state, width),
    )
    return found if found.window_size else _with_windows(found, grid)


def _block_rows(state: Mapping[str, Tensor], number: int, width: int, head: int, hidden: int) -> int:
    """How many rows the relative position tables of a block have."""
    block = f"image_encoder.blocks.{number}."
    shape_of(state, f"{block}attn.qkv.weight", (3 * width, width))
    shape_of(state, f"{block}mlp.lin1.weight", (hidden, width))
    rows = shape_of(state, f"{block}attn.rel_pos_h", (None, head))[0]
    shape_of(state, f"{block}attn.rel_pos_w", (rows, head))
    return rows


def _neck(state: Mapping[str, Tensor], width: int) -> int:
    """Channels that leave the encoder."""
    if "image_encoder.neck.0.weight" not in state:
        return 256
    channels = shape_of(state, "image_encoder.neck.0.weight", (None, width, 1, 1))[0]
    shape_of(state, "image_encoder.neck.2.weight", (channels, channels, 3, 3))
    return channels


def _adapter(state: Mapping[str, Tensor], width: int) -> int:
    """Width of the adapters in the blocks, 0 where there are none."""
    down = "image_encoder.blocks.0.attn_adapter.down"
    if f"{down}.bias" not in state:
        return 0
    inner = shape_of(state, f"{down}.bias", (None,))[0]
    shape_of(state, f"{down}.weight", (inner, width))
    return inner


def _with_windows(found: Variant, grid: int) -> Variant:
    """The architecture whose tables all have the whole grid's size: a window may be as wide as the grid.

    Shapes do not tell then which blocks have windows; a known variant does.
    """
    for known in (v for v in VARIANTS.values() if isinstance(v, Variant)):
        same = all(getattr(known, k) == getattr(found, k) for k in ("embed_dim", "depth", "num_heads"))
        if same and known.window_size == grid:
            return replace(
                found, window_size=known.window_size, global_attn_indexes=known.global_attn_indexes
            )
    return found


def resized(
    state: Mapping[str, Tensor], spec: Variant | TinyVariant, img_size: int | None
) -> tuple[dict[str, Tensor], Variant | TinyVariant]:
    """Parameters whose position tables are brought to another input size, and their architecture then.

    The absolute table is resized bicubically, the relative ones of global blocks linearly, as everywhere in
    this field. Nothing changes where the size is None or the parameters' own.

    Raises:
        CheckpointError: the size is not a multiple of the patch.
    """
    if img_size is None or img_size == spec.img_size:
        return dict(state), spec
    if img_size < 1 or img_size % spec.patch_size:
        raise CheckpointError(f"the input size {img_size} is not a multiple of {spec.patch_size} above 0")
    if isinstance(spec, TinyVariant):  # its tables are those of windows
        return dict(state), replace(spec, img_size=img_size)
    grid = img_size // spec.patch_size
    found = dict(state)
    table = state["image_encoder.pos_embed"].float().permute(0, 3, 1, 2)
    table = F.interpolate(table, size=(grid, grid), mode="bicubic", align_corners=False)
    found["image_encoder.pos_embed"] = table.permute(0, 2, 3, 1).contiguous()
    for block in spec.global_attn_indexes:
        for axis in "hw":
            name = f"image_encoder.blocks.{block}.attn.rel_pos_{axis}"
            rows = F.interpolate(state[name].float().t()[None], size=2 * grid - 1, mode="linear")
            found[name] = rows[0].t().contiguous()
    return found, replace(spec, img_size=img_size)


def not_finite(state: Mapping[str, Tensor]) -> list[str]:
    """Names of parameters that hold NaN or infinity."""
    return [n for n, v in state.items() if v.is_floating_point() and not torch.isfinite(v).all()]
