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


#: Beyond what any image encoder has; the widest known ViT has 6144.
_WIDEST = 16384


def _encoder(state: Mapping[str, Tensor]) -> Variant:
    """The architecture that shapes tell; those that memory depends on are all checked."""
    projection = _shape(state, "image_encoder.patch_embed.proj.weight", (None, 3, None, None))
    width, patch = projection[0], projection[-1]
    _shape(state, "image_encoder.patch_embed.proj.weight", (width, 3, patch, patch))
    grid = _shape(state, "image_encoder.pos_embed", (1, None, None, width))[1]
    _shape(state, "image_encoder.pos_embed", (1, grid, grid, width))
    pattern = re.compile(r"image_encoder\.blocks\.(\d+)\.attn\.rel_pos_h")
    numbers = sorted(int(m[1]) for m in map(pattern.fullmatch, state) if m)
    head = _shape(state, "image_encoder.blocks.0.attn.rel_pos_h", (None, None))[1]
    hidden = _shape(state, "image_encoder.blocks.0.mlp.lin1.bias", (None,))[0]
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
    _shape(state, f"{block}attn.qkv.weight", (3 * width, width))
    _shape(state, f"{block}mlp.lin1.weight", (hidden, width))
    rows = _shape(state, f"{block}attn.rel_pos_h", (None, head))[0]
    _shape(state, f"{block}attn.rel_pos_w", (rows, head))
    return rows


def _neck(state: Mapping[str, Tensor], width: int) -> int:
    """Channels that leave the encoder."""
    if "image_encoder.neck.0.weight" not in state:
        return 256
    channels = _shape(state, "image_encoder.neck.0.weight", (None, width, 1, 1))[0]
    _shape(state, "image_encoder.neck.2.weight", (channels, channels, 3, 3))
    return channels


def _adapter(state: Mapping[str, Tensor], width: int) -> int:
    """Width of the adapters in the blocks, 0 where there are none."""
    down = "image_encoder.blocks.0.attn_adapter.down"
    if f"{down}.bias" not in state:
        return 0
    inner = _shape(state, f"{down}.bias", (None,))[0]
    _shape(state, f"{down}.weight", (inner, width))
    return inner


def _shape(state: Mapping[str, Tensor], name: str, expected: tuple[int | None, ...]) -> tuple[int, ...]:
    """The shape of a parameter; None stands for any size but 0."""
    shape = tuple(state[name].shape)
    fits = len(shape) == len(expected) and all(
        size > 0 and size == (wanted or size) for size, wanted in zip(shape, expected, strict=True)
    )
    if not fits:
        wanted = ", ".join("any" if size is None else str(size) for size in expected)
        raise CheckpointError(f"{name} is {shape}, where an image encoder has ({wanted})")
    if not state[name].is_floating_point():
        raise CheckpointError(f"the weights are whole numbers in {name}: were they quantized?")
    return shape


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
    if img_size is None or img_size == spec.img_size:
        return dict(state), spec
    if img_size < 1 or img_size % spec.patch_size:
        raise CheckpointError(f"the input size {img_size} is not a multiple of {spec.patch_size} above 0")
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
