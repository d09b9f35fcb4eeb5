"""Which TinyViT parameters belong to; the size of its input follows from the stem or the file's note."""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor

from ultrasam.checkpoints.parameter_shapes import shape_of
from ultrasam.errors import CheckpointError
from ultrasam.modeling.tiny_vit import PATCH_OF_KERNEL, TinyVariant
from ultrasam.types import ModelUsage

STEM = "image_encoder.patch_embed.seq.0.c.weight"
#: What MobileSAM's files carry along of the classifier that the encoder was first.
LEFT_OVERS = ("image_encoder.norm_head.", "image_encoder.head.")
#: Input sizes that the stems were published with.
_SIZES = {16: 1024, 4: 256}


def is_tiny(state: Mapping[str, Tensor]) -> bool:
    """Whether parameters with the names of files are those of a TinyViT."""
    return STEM in state


def tiny_variant(state: Mapping[str, Tensor], img_size: int = 0) -> TinyVariant:
    """The architecture that parameters with MobileSAM's names belong to.

    Args:
        state: the parameters.
        img_size: of the input, as the file notes it; 0 for what was published with the stem.

    Raises:
        CheckpointError: the parameters are not those of such an encoder.
        KeyError: one is missing.
    """
    kernel = shape_of(state, STEM, (None, 3, None, None))[-1]
    if kernel not in PATCH_OF_KERNEL:
        raise CheckpointError(f"{STEM} has a kernel of {kernel}, a TinyViT's has 3 or 1")
    patch = PATCH_OF_KERNEL[kernel]
    depths = tuple(_depth(state, stage) for stage in range(4))
    dims = [shape_of(state, "image_encoder.layers.0.blocks.0.conv1.c.weight", (None, None, 1, 1))[1]]
    heads, windows = [2], [7]
    for stage in range(1, 4):
        block = f"image_encoder.layers.{stage}.blocks.0."
        dims.append(shape_of(state, f"{block}attn.norm.weight", (None,))[0])
        rows, distances = shape_of(state, f"{block}attn.attention_biases", (None, None))
        heads.append(rows)
        # As many distances as places: a window of W x W tokens has W * W of them.
        windows.append(round(distances**0.5))
        if windows[-1] ** 2 != distances or dims[-1] % rows:
            raise CheckpointError(f"{block}attn.attention_biases is {(rows, distances)}: no square window")
    return TinyVariant(
        embed_dims=tuple(dims),  # type: ignore[arg-type]
        depths=depths,  # type: ignore[arg-type]
        num_heads=tuple(heads),  # type: ignore[arg-type]
        window_sizes=tuple(windows),  # type: ignore[arg-type]
        img_size=img_size or _SIZES[patch],
        patch_size=patch,
        out_chans=shape_of(state, "image_encoder.neck.0.weight", (None, dims[-1], 1, 1))[0],
    )


def usual_usage(state: Mapping[str, Tensor]) -> ModelUsage:
    """What weights are used with whose file does not say it: LiteMedSAM's as its authors do."""
    if is_tiny(state) and state[STEM].shape[-1] == 1:
        return ModelUsage(normalization="minmax", single=True)
    return ModelUsage()


def without_left_overs(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The parameters without those of the classifier."""
    return {name: value for name, value in state.items() if not name.startswith(LEFT_OVERS)}


def _depth(state: Mapping[str, Tensor], stage: int) -> int:
    pattern = re.compile(rf"image_encoder\.layers\.{stage}\.blocks\.(\d+)\..*")
    numbers = {int(found[1]) for found in map(pattern.fullmatch, state) if found}
    if not numbers or numbers != set(range(len(numbers))):
        raise CheckpointError(f"a block of stage {stage} of the image encoder is missing")
    return len(numbers)
