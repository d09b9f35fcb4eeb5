"""Our parameters written in the formats of others."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ultrasam.checkpoints.detection import describe, detect, not_finite
from ultrasam.checkpoints.formats import PROMPT_EMBEDDING, SHARED_EMBEDDING, TIMM, TRANSFORMERS
from ultrasam.checkpoints.loading import read_named
from ultrasam.checkpoints.published import VITSAM, to_published
from ultrasam.checkpoints.reading import note_of
from ultrasam.data.files import open_atomic, write_bytes, write_json
from ultrasam.errors import CheckpointError
from ultrasam.modeling.adapt.lora import merged_state
from ultrasam.modeling.build import Variant
from ultrasam.modeling.old_fields import as_written
from ultrasam.modeling.tiny_vit import TinyVariant
from ultrasam.preprocess import PIXEL_MEAN, PIXEL_STD
from ultrasam.types import ModelUsage

State = Mapping[str, Tensor]
#: Formats that only this package reads, and which so can hold adapters.
_OWN = ("mmdet", "safetensors")


def convert(
    path: str | Path,
    out: str | Path,
    to: str,
    *,
    fold_residual: bool | None = None,
    half: bool = False,
    usage: ModelUsage | None = None,
) -> list[Path]:
    """Read a weight file of any known format and write it in another.

    Args:
        path: the file, or a name that can be fetched.
        out: the file to write; a folder for ``transformers``.
        to: one of `TARGETS`.
        fold_residual: see `ultrasam.load`.
        half: see `save`.
        usage: what the weights want to be used with, where the file doesn't say it or says it wrongly.

    Returns:
        the files written.
    """
    weights = read_named(path, fold_residual=fold_residual)
    return save(weights.state, out, to, half=half, usage=usage or weights.usage)


def save(
    state: State,
    out: str | Path,
    to: str | None = None,
    *,
    half: bool = False,
    usage: ModelUsage | None = None,
) -> list[Path]:
    """Write parameters with Meta's names (a model's ``state_dict()``) in a format.

    Args:
        state: the parameters.
        out: the file to write; a folder for ``transformers``.
        to: one of `TARGETS`; None for ``sam``, or ``mmdet`` for adapters, which ``sam`` has no place for.
        half: write float16, which halves the file; networks that load it compute in float32 again. Else
            float32 is written, whatever the parameters are in.
        usage: what the weights want to be used with; None where a model's ``state_dict()`` says it itself.

    Raises:
        CheckpointError: an unknown format, parameters of no promptable segmenter, or numbers that the type
            written cannot hold.
        UltraSamError: nothing can be written there.
    """
    usage = usage or ModelUsage.of(note_of(state))
    state = merged_state(state)
    spec, variant = detect(state, usage.img_size)
    to = to or ("mmdet" if spec.adapter else "sam")
    if to not in TARGETS:
        raise CheckpointError(f"cannot write '{to}'; choose from {', '.join(TARGETS)}")
    if spec.adapter and to not in _OWN:
        raise CheckpointError(
            f"these weights are a {variant}, which can't be merged away, and '{to}' has no place for them; "
            f"write {' or '.join(_OWN)}"
        )
    if isinstance(spec, TinyVariant) and to not in ("sam", *_OWN):
        raise CheckpointError(
            f"these weights have a TinyViT for an image encoder ({variant}), which '{to}' has no names for; "
            f"write {', '.join(('sam', *_OWN))}"
        )
    dtype = torch.float16 if half else torch.float32
    state = {
        name: value.detach().cpu().to(dtype if value.is_floating_point() else None).contiguous()
        for name, value in state.items()
    }
    if too_large := not_finite(state):
        kind = "float16" if half else "float32"
        raise CheckpointError(f"{too_large[0]} holds NaN, infinity or numbers that {kind} cannot hold")
    return TARGETS[to](state, Path(out), spec, usage)


def write_objects(content: Any, path: Path) -> None:
    """What `ultrasam.checkpoints.reading.read_objects` reads: tensors in containers.

    Raises:
        UltraSamError: nothing can be written there.
    """
    with open_atomic(path) as file:
        torch.save(content, file)


def _sam(state: State, out: Path, spec: Any, usage: ModelUsage) -> list[Path]:
    """Segment-anything: ``sam_model_registry[...](checkpoint=...)``."""
    return _torch(_noted(state, usage), out)


def _ultrasam(state: State, out: Path, spec: Any, usage: ModelUsage) -> list[Path]:
    """The published UltraSam's names, with its doubled residual."""
    return _torch({"meta": {}, "state_dict": _noted(to_published(state), usage)}, out)


def _mmdet(state: State, out: Path, spec: Any, usage: ModelUsage) -> list[Path]:
    """A checkpoint of this package's MMDetection detector."""
    own = {f"sam.{name}": value for name, value in state.items()}
    return _torch({"meta": {}, "state_dict": _noted(own, usage, "sam")}, out)


def _timm(state: State, out: Path, spec: Any, usage: ModelUsage) -> list[Path]:
    """The image encoder for timm's ``samvit_*`` models."""
    return _weights(TIMM.to_theirs(_encoder(state)), out, usage)


def _mmpretrain(state: State, out: Path, spec: Any, usage: ModelUsage) -> list[Path]:
    """The image encoder for mmpretrain's ``ViTSAM``."""
    return _weights(VITSAM.to_theirs(_encoder(state)), out, usage)


def _safetensors(state: State, out: Path, spec: Any, usage: ModelUsage) -> list[Path]:
    """Safetensors with Meta's names, and a ``.json`` that says how to build and feed the network."""
    if out.suffix != ".safetensors":
        raise CheckpointError(f"a safetensors file must end in .safetensors, got {out.name}")
    config = {
        "architecture": "ultrasam",
        "variant": describe(spec),
        **as_written(spec),
        **_normalization(usage),
        "color": "RGB",
        "resize": "longest side to img_size, pad right and bottom after normalisation",
        "usage": usage.note(),
    }
    return [*_weights(state, out, usage), *_json(config, out.with_suffix(".json"))]


def _normalization(usage: ModelUsage) -> dict[str, Any]:
    if usage.normalization == "minmax":
        return {"normalization": "each image from 0 to 1 by its least and greatest value"}
    return {"pixel_mean": PIXEL_MEAN, "pixel_std": PIXEL_STD}


def _transformers(state: State, out: Path, spec: Any, usage: ModelUsage) -> list[Path]:
    """A folder for ``SamModel.from_pretrained``."""
    named = TRANSFORMERS.to_theirs(state)
    named[SHARED_EMBEDDING] = named[PROMPT_EMBEDDING].clone()
    config = _transformers_config(spec, named[SHARED_EMBEDDING].dtype) | {ModelUsage.KEY: usage.note()}
    return [
        *_weights(named, out / "model.safetensors", usage),
        *_json(config, out / "config.json"),
        *_json(_processor(spec), out / "preprocessor_config.json"),
    ]


def _transformers_config(spec: Variant, dtype: torch.dtype) -> dict[str, Any]:
    stored = str(dtype).removeprefix("torch.")
    sizes = {"image_size": spec.img_size, "patch_size": spec.patch_size}
    return {
        "architectures": ["SamModel"],
        "model_type": "sam",
        "torch_dtype": stored,
        "vision_config": {
            "model_type": "sam_vision_model",
            "torch_dtype": stored,
            "hidden_size": spec.embed_dim,
            "num_hidden_layers": spec.depth,
            "num_attention_heads": spec.num_heads,
            "global_attn_indexes": list(spec.global_attn_indexes),
            "window_size": spec.window_size,
            "mlp_dim": round(spec.embed_dim * spec.mlp_ratio),
            "mlp_ratio": spec.mlp_ratio,
            "output_channels": spec.out_chans,
            "num_pos_feats": spec.out_chans // 2,
            **sizes,
        },
        "prompt_encoder_config": {"hidden_size": spec.out_chans, **sizes},
        # Meta's transformer has eps 1e-5; the library's default of 1e-6 would change the logits a little.
        "mask_decoder_config": {"hidden_size": spec.out_chans, "layer_norm_eps": 1e-5},
    }


def _processor(spec: Variant) -> dict[str, Any]:
    return {
        "image_processor_type": "SamImageProcessor",
        "processor_class": "SamProcessor",
        "size": {"longest_edge": spec.img_size},
        "pad_size": {"height": spec.img_size, "width": spec.img_size},
        "mask_size": {"longest_edge": spec.img_size // 4},
        "image_mean": [m / 255 for m in PIXEL_MEAN],
        "image_std": [s / 255 for s in PIXEL_STD],
    }


def _encoder(state: State) -> dict[str, Tensor]:
    return {name: value for name, value in state.items() if name.startswith("image_encoder.")}


def _noted(state: State, usage: ModelUsage, module: str = "") -> State:
    """The state dict with the usage in its metadata, as `Sam.state_dict` has it for the module of that name.

    Metadata lie beside the names and not among them, so everybody's strict loading takes the file.
    """
    noted = OrderedDict(state)
    noted._metadata = OrderedDict({module: {"version": 1, ModelUsage.KEY: usage.note()}})  # type: ignore[attr-defined]
    return noted


def _weights(state: State, out: Path, usage: ModelUsage) -> list[Path]:
    """Safetensors where the name says so, else a bare dict of torch."""
    if out.suffix != ".safetensors":
        return _torch(_noted(state, usage), out)
    from safetensors.torch import save as to_bytes

    # Its own way to a file makes one that nobody else may read.
    metadata = {"format": "pt", ModelUsage.KEY: json.dumps(usage.note())}
    write_bytes(out, to_bytes({name: value.contiguous() for name, value in state.items()}, metadata))
    return [out]


def _torch(content: Any, out: Path) -> list[Path]:
    write_objects(content, out)
    return [out]


def _json(content: Any, out: Path) -> list[Path]:
    write_json(out, content, indent=1)
    return [out]


TARGETS: dict[str, Callable[[State, Path, Any, ModelUsage], list[Path]]] = {
    "sam": _sam,
    "ultrasam": _ultrasam,
    "transformers": _transformers,
    "timm": _timm,
    "mmpretrain": _mmpretrain,
    "mmdet": _mmdet,
    "safetensors": _safetensors,
}
