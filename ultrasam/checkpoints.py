"""Weight files of others and ours: read safely, named as in Segment Anything, loaded strictly.

The network carries Meta's parameter names, so ``sam_vit_*.pth`` and ``medsam_vit_b.pth`` need no mapping.
The published UltraSam's names are known here and nowhere else.
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ultrasam.errors import CheckpointError
from ultrasam.modeling.build import VARIANTS, Variant, build_variant
from ultrasam.modeling.sam import Sam

#: Wrappers that training frameworks put round a state dict, and prefixes they put before its names.
_CONTAINERS = ("state_dict", "model_state_dict", "model")
_PREFIXES = ("module.", "sam.", "model.")

# The published UltraSam's names, one rule a line; the first that matches a name's beginning applies.
_PUBLISHED = (
    (r"backbone\.pos_embed", "image_encoder.pos_embed"),
    (r"backbone\.patch_embed\.projection\.", "image_encoder.patch_embed.proj."),
    (r"backbone\.layers\.(\d+)\.ln([12])\.", r"image_encoder.blocks.\1.norm\2."),
    (r"backbone\.layers\.(\d+)\.attn\.", r"image_encoder.blocks.\1.attn."),
    (r"backbone\.layers\.(\d+)\.ffn\.layers\.0\.0\.", r"image_encoder.blocks.\1.mlp.lin1."),
    (r"backbone\.layers\.(\d+)\.ffn\.layers\.1\.", r"image_encoder.blocks.\1.mlp.lin2."),
    (r"backbone\.channel_reduction\.", "image_encoder.neck."),
    (r"decoder\.layers\.(\d+)\.mlp\.layers\.0\.0\.", r"mask_decoder.transformer.layers.\1.mlp.lin1."),
    (r"decoder\.layers\.(\d+)\.mlp\.layers\.1\.", r"mask_decoder.transformer.layers.\1.mlp.lin2."),
    (r"decoder\.post_norm\.", "mask_decoder.transformer.norm_final_attn."),
    (r"decoder\.(.+)\.attn\.([qkv])_proj_weight", r"mask_decoder.transformer.\1.\2_proj.weight"),
    (r"decoder\.(.+)\.attn\.out_proj\.", r"mask_decoder.transformer.\1.out_proj."),
    (r"decoder\.", "mask_decoder.transformer."),
    (r"bbox_head\.", "mask_decoder."),
    (r"prompt_encoder\.", "prompt_encoder."),
)
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


@dataclass
class LoadReport:
    """What became of a file's parameters.

    Attributes:
        kind: ``sam`` for Meta's names (also ours and MedSAM's), ``ultrasam`` for the published names.
        variant: the variant's name, or a description of its numbers.
        loaded: how many parameters were loaded.
        missing: names of the network that the file lacks.
        unexpected: names of the file that the network lacks.
        folded: names whose values were changed to undo the doubled residual.
    """

    kind: str
    variant: str
    loaded: int
    missing: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    folded: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        text = f"{self.kind} weights, {self.variant}: {self.loaded} parameters loaded"
        if self.folded:
            text += f", {len(self.folded)} of them folded (the decoder's doubled MLP residual)"
        for title, names in (("missing", self.missing), ("unexpected", self.unexpected)):
            if names:
                shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
                text += f"\n  {title} {len(names)}: {shown}"
        return text


class _Inert:
    """Stands for every object of a training log that a weight file carries along; it does nothing."""

    def __init__(self, *args: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        pass


def _allowed() -> list[Any]:
    """Globals that mmengine's containers name beside tensors: numpy's own makers and inert stand-ins."""
    multiarray = ("numpy.core.multiarray", "numpy._core.multiarray")
    allowed: list[Any] = [
        (_Inert, "mmengine.logging.history_buffer.HistoryBuffer"),
        (_Inert, "builtins.getattr"),
        (_Inert, "__builtin__.getattr"),
        np.ndarray,
        np.dtype,
    ]
    for module in multiarray:
        allowed += [
            (np._core.multiarray._reconstruct if hasattr(np, "_core") else _Inert, f"{module}._reconstruct"),
            (np._core.multiarray.scalar if hasattr(np, "_core") else _Inert, f"{module}.scalar"),
        ]
    allowed += [type(np.dtype(code)) for code in ("f8", "f4", "i8", "i4", "u1", "?")]
    return allowed


def read(path: str | Path) -> dict[str, Tensor]:
    """The state dict in a weight file, without wrappers and prefixes; nothing of the file is executed.

    Args:
        path: ``.pth`` / ``.pt`` (bare or in a container of mmengine or others) or ``.safetensors``.

    Raises:
        CheckpointError: the file is missing, damaged, holds no tensors, or asks to run code.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"no weight file at {path}")
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            content: Any = load_file(path)
        else:
            with torch.serialization.safe_globals(_allowed()):
                content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"{path} holds objects other than weights and was not loaded, since they could run code: "
            f"{_first_line(error)}"
        ) from error
    except Exception as error:
        raise CheckpointError(f"{path} is not a readable weight file: {_first_line(error)}") from error
    return _strip(_unwrap(content, path))


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _unwrap(content: Any, path: Path) -> dict[str, Tensor]:
    while isinstance(content, Mapping):
        inner = next((content[k] for k in _CONTAINERS if isinstance(content.get(k), Mapping)), None)
        if inner is None:
            break
        content = inner
    state = (
        {k: v for k, v in content.items() if isinstance(v, Tensor)} if isinstance(content, Mapping) else {}
    )
    if not state:
        raise CheckpointError(f"{path} holds no weights (no tensors found in it)")
    return state


def _strip(state: dict[str, Tensor]) -> dict[str, Tensor]:
    for _ in _PREFIXES:
        for prefix in _PREFIXES:
            if all(name.startswith(prefix) for name in state):
                state = {name[len(prefix) :]: value for name, value in state.items()}
    return state


def is_published(names: Iterable[str]) -> bool:
    """Whether the names are those of the published UltraSam."""
    return any(name.startswith("backbone.layers.") for name in names)


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
    """
    renamed: dict[str, Tensor] = {}
    for name, value in state.items():
        if name == _LABEL_TABLE:
            renamed.update({target: value[rows] for target, rows in _LABEL_ROWS})
        elif name.endswith(".attn.in_proj_bias"):
            stem = "mask_decoder.transformer." + name[len("decoder.") : -len(".attn.in_proj_bias")]
            for part, chunk in zip("qkv", value.chunk(3), strict=True):
                renamed[f"{stem}.{part}_proj.bias"] = chunk
        else:
            renamed[_rename(name)] = value
    folded = sorted(
        n for n in renamed if re.fullmatch(r"mask_decoder\.transformer\.layers\.\d+\.mlp\.lin2\..*", n)
    )
    if not fold:
        return renamed, []
    return {n: v * 0.5 if n in folded else v for n, v in renamed.items()}, folded


def _rename(name: str) -> str:
    for pattern, replacement in _PUBLISHED:
        new, count = re.subn("^" + pattern, replacement, name)
        if count:
            return new
    return name


def detect(state: Mapping[str, Tensor]) -> tuple[Variant, str]:
    """The architecture that parameters with Meta's names belong to, and what to call it.

    Raises:
        CheckpointError: they are not those of a promptable segmenter.
    """
    try:
        width = state["image_encoder.patch_embed.proj.weight"].shape[0]
        patch = state["image_encoder.patch_embed.proj.weight"].shape[-1]
        grid = state["image_encoder.pos_embed"].shape[1]
        channels = state["image_encoder.neck.0.weight"].shape[0]
        tables = {
            int(m[1]): state[m[0]].shape
            for m in (re.fullmatch(r"image_encoder\.blocks\.(\d+)\.attn\.rel_pos_h", n) for n in state)
            if m
        }
        head = tables[0][1]
    except KeyError as error:
        names = ", ".join(sorted(state)[:3])
        raise CheckpointError(
            f"these are not the weights of a promptable segmenter: no {error}; it holds {names}, ..."
        ) from error
    grid_rows = 2 * grid - 1
    windows = {(rows + 1) // 2 for rows, _ in tables.values() if rows != grid_rows}
    spec = Variant(
        width=width,
        depth=len(tables),
        heads=width // head,
        global_blocks=tuple(sorted(i for i, (rows, _) in tables.items() if rows == grid_rows)),
        img_size=grid * patch,
        window=windows.pop() if windows else 0,
        patch_size=patch,
        channels=channels,
        mlp_ratio=state["image_encoder.blocks.0.mlp.lin1.bias"].shape[0] / width,
    )
    for name, known in VARIANTS.items():
        if all(
            getattr(spec, key) == getattr(known, key) for key in ("width", "depth", "heads", "global_blocks")
        ):
            return spec, f"{name} at {spec.img_size} px"
    return spec, f"width {width}, {len(tables)} blocks, at {spec.img_size} px"


def load_into(model: nn.Module, state: Mapping[str, Tensor], kind: str, variant: str) -> LoadReport:
    """Load parameters strictly by name and shape.

    Raises:
        CheckpointError: names are missing or unexpected, or a shape differs; the message lists them.
    """
    own = model.state_dict()
    report = LoadReport(
        kind,
        variant,
        loaded=len(own.keys() & state.keys()),
        missing=sorted(own.keys() - state.keys()),
        unexpected=sorted(state.keys() - own.keys()),
    )
    shapes = [
        f"{n} is {tuple(state[n].shape)}, the model has {tuple(own[n].shape)}"
        for n in sorted(own.keys() & state.keys())
        if own[n].shape != state[n].shape
    ]
    if report.missing or report.unexpected or shapes:
        detail = "".join(f"\n  {line}" for line in shapes[:5])
        raise CheckpointError(f"the weights do not fit the model.\n{report}{detail}")
    model.load_state_dict(state, strict=True)
    return report


def named_as_sam(
    state: dict[str, Tensor], *, fold_residual: bool | None = None
) -> tuple[dict[str, Tensor], str, list[str]]:
    """Parameters under Meta's names, where they came from, and which were folded.

    Args:
        state: parameters with Meta's or the published names.
        fold_residual: halve the last layer of the decoder's MLPs; None does it for the published names.
    """
    if is_published(state):
        renamed, folded = from_published(state, fold=fold_residual is not False)
        return renamed, "ultrasam", folded
    if fold_residual:
        folded = [n for n in state if re.search(r"transformer\.layers\.\d+\.mlp\.lin2\.", n)]
        return {n: v * 0.5 if n in folded else v for n, v in state.items()}, "sam", folded
    return state, "sam", []


def load_file_into(model: Sam, path: str | Path, *, fold_residual: bool | None = None) -> LoadReport:
    """Load a weight file into a model that is already built.

    Raises:
        CheckpointError: the file can't be read or is of another architecture than the model.
    """
    state, kind, folded = named_as_sam(read(path), fold_residual=fold_residual)
    variant = detect(state)[1]
    try:
        report = load_into(model, state, kind, f"{variant} from {path}")
    except CheckpointError as error:
        raise CheckpointError(
            f"{path} holds {variant}, the configuration builds another model; "
            f"choose the configuration of that variant and input size.\n{error}"
        ) from error
    report.folded = folded
    return report


def load(path: str | Path, *, fold_residual: bool | None = None) -> Sam:
    """Build the model that a weight file belongs to and load it; see `load_with_report`."""
    return load_with_report(path, fold_residual=fold_residual)[0]


def load_with_report(path: str | Path, *, fold_residual: bool | None = None) -> tuple[Sam, LoadReport]:
    """Build the model that a weight file belongs to, load it, and say what was loaded.

    Args:
        path: a file of Meta, MedSAM, the published UltraSam, or this package.
        fold_residual: undo a doubled residual (see `from_published`); None decides by the file's names.

    Raises:
        CheckpointError: the file can't be read or is of another architecture.
    """
    try:
        state, kind, folded = named_as_sam(read(path), fold_residual=fold_residual)
        spec, variant = detect(state)
        model = build_variant(spec).eval()
        report = load_into(model, state, kind, variant)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}" if str(path) not in str(error) else str(error)) from error
    report.folded = folded
    return model, report
