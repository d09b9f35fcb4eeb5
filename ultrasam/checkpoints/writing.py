"""Our parameters written in the formats of others."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ultrasam.checkpoints.detection import describe, detect
from ultrasam.checkpoints.download import resolve
from ultrasam.checkpoints.formats import SHARED_EMBEDDING, TIMM, TRANSFORMERS, named_as_sam
from ultrasam.checkpoints.published import VITSAM, to_published
from ultrasam.checkpoints.reading import read
from ultrasam.errors import CheckpointError
from ultrasam.modeling.adapt.lora import merged_state
from ultrasam.modeling.build import Variant
from ultrasam.preprocess import PIXEL_MEAN, PIXEL_STD

State = Mapping[str, Tensor]
#: Formats that only this package reads, and which so can hold adapters.
_OWN = ("mmdet", "safetensors")


def convert(
    path: str | Path, out: str | Path, to: str, *, fold_residual: bool | None = None, half: bool = False
) -> list[Path]:
    """Read a weight file of any known format and write it in another.

    Args:
        path: the file, or a name that can be fetched.
        out: the file to write; a folder for ``transformers``.
        to: one of `TARGETS`.
        fold_residual: see `ultrasam.load`.
        half: see `save`.

    Returns:
        the files written.
    """
    state, _, _ = named_as_sam(read(resolve(path)), fold_residual=fold_residual)
    return save(state, out, to, half=half)


def save(state: State, out: str | Path, to: str = "sam", *, half: bool = False) -> list[Path]:
    """Write parameters with Meta's names (a model's ``state_dict()``) in a format.

    Args:
        state: the parameters.
        out: the file to write; a folder for ``transformers``.
        to: one of `TARGETS`.
        half: write float16, which halves the file; networks that load it compute in float32 again.

    Raises:
        CheckpointError: an unknown format, parameters of no promptable segmenter, or a place that can't be
            written.
    """
    if to not in TARGETS:
        raise CheckpointError(f"cannot write '{to}'; choose from {', '.join(TARGETS)}")
    state = merged_state(state)
    spec, variant = detect(state)
    if spec.adapter and to not in _OWN:
        raise CheckpointError(
            f"these weights are a {variant}, which can't be merged away, and '{to}' has no place for them; "
            f"write {' or '.join(_OWN)}"
        )
    dtype = torch.float16 if half else None
    state = {name: value.detach().cpu().to(dtype).contiguous() for name, value in state.items()}
    out = Path(out)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        return TARGETS[to](state, out, spec)
    except OSError as error:
        raise CheckpointError(f"cannot write {out}: {error.strerror or error}") from error


def _sam(state: State, out: Path, spec: Variant) -> list[Path]:
    """Segment-anything: ``sam_model_registry[...](checkpoint=...)``."""
    return _torch(dict(state), out)


def _ultrasam(state: State, out: Path, spec: Variant) -> list[Path]:
    """The published UltraSam's names, with its doubled residual."""
    return _torch({"meta": {}, "state_dict": to_published(state)}, out)


def _mmdet(state: State, out: Path, spec: Variant) -> list[Path]:
    """A checkpoint of this package's MMDetection detector."""
    own = {f"sam.{name}": value for name, value in state.items()}
    return _torch({"meta": {}, "state_dict": own}, out)


def _timm(state: State, out: Path, spec: Variant) -> list[Path]:
    """The image encoder for timm's ``samvit_*`` models."""
    return _weights(TIMM.to_theirs(_encoder(state)), out)


def _mmpretrain(state: State, out: Path, spec: Variant) -> list[Path]:
    """The image encoder for mmpretrain's ``ViTSAM``."""
    return _weights(VITSAM.to_theirs(_encoder(state)), out)


def _safetensors(state: State, out: Path, spec: Variant) -> list[Path]:
    """Safetensors with Meta's names, and a ``.json`` that says how to build and feed the network."""
    if out.suffix != ".safetensors":
        raise CheckpointError(f"a safetensors file must end in .safetensors, got {out.name}")
    config = {
        "architecture": "ultrasam",
        "variant": describe(spec),
        **asdict(spec),
        "pixel_mean": PIXEL_MEAN,
        "pixel_std": PIXEL_STD,
        "color": "RGB",
        "resize": "longest side to img_size, pad right and bottom after normalisation",
    }
    beside = out.with_suffix(".json")
    beside.write_text(json.dumps(config, indent=1))
    return [*_weights(state, out), beside]


def _transformers(state: State, out: Path, spec: Variant) -> list[Path]:
    """A folder for ``SamModel.from_pretrained``."""
    out.mkdir(parents=True, exist_ok=True)
    named = TRANSFORMERS.to_theirs(state)
    matrix = named["prompt_encoder.shared_embedding.positional_embedding"]
    named[SHARED_EMBEDDING] = matrix.clone()
    files = {"config.json": _transformers_config(spec), "preprocessor_config.json": _processor(spec)}
    for name, content in files.items():
        (out / name).write_text(json.dumps(content, indent=2))
    return [*_weights(named, out / "model.safetensors"), *(out / name for name in files)]


def _transformers_config(spec: Variant) -> dict[str, Any]:
    sizes = {"image_size": spec.img_size, "patch_size": spec.patch_size}
    return {
        "architectures": ["SamModel"],
        "model_type": "sam",
        "torch_dtype": "float32",
        "vision_config": {
            "model_type": "sam_vision_model",
            "hidden_size": spec.width,
            "num_hidden_layers": spec.depth,
            "num_attention_heads": spec.heads,
            "global_attn_indexes": list(spec.global_blocks),
            "window_size": spec.window,
            "mlp_dim": round(spec.width * spec.mlp_ratio),
            "mlp_ratio": spec.mlp_ratio,
            "output_channels": spec.channels,
            "num_pos_feats": spec.channels // 2,
            **sizes,
        },
        "prompt_encoder_config": {"hidden_size": spec.channels, **sizes},
        # Meta's transformer has eps 1e-5; the library's default of 1e-6 would change the logits a little.
        "mask_decoder_config": {"hidden_size": spec.channels, "layer_norm_eps": 1e-5},
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


def _weights(state: State, out: Path) -> list[Path]:
    """Safetensors where the name says so, else a bare dict of torch."""
    if out.suffix != ".safetensors":
        return _torch(dict(state), out)
    from safetensors.torch import save_file

    save_file({name: value.contiguous() for name, value in state.items()}, out, metadata={"format": "pt"})
    return [out]


def _torch(content: dict[str, Any], out: Path) -> list[Path]:
    torch.save(content, out)
    return [out]


TARGETS: dict[str, Callable[[State, Path, Variant], list[Path]]] = {
    "sam": _sam,
    "ultrasam": _ultrasam,
    "transformers": _transformers,
    "timm": _timm,
    "mmpretrain": _mmpretrain,
    "mmdet": _mmdet,
    "safetensors": _safetensors,
}
