"""Weights into a network: strictly, and with a report that a person can read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from torch import Tensor, nn

from ultrasam.checkpoints.detection import describe, detect, not_finite, resized
from ultrasam.checkpoints.download import resolve
from ultrasam.checkpoints.formats import named_as_sam
from ultrasam.checkpoints.reading import read_with_usage
from ultrasam.errors import CheckpointError
from ultrasam.modeling.build import build_variant
from ultrasam.modeling.sam import Sam


@dataclass
class LoadReport:
    """What became of a file's parameters.

    Attributes:
        kind: whose names the file has: ``sam`` for Meta's (also ours and MedSAM's), ``ultrasam`` for the
            published ones, ``transformers`` and so on.
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


def load(
    path: str | Path | None = None,
    *,
    fold_residual: bool | None = None,
    strict: bool = True,
    img_size: int | None = None,
) -> Sam:
    """Build the model that a weight file belongs to and load it; see `load_with_report`."""
    return load_with_report(path, fold_residual=fold_residual, strict=strict, img_size=img_size)[0]


def load_with_report(
    path: str | Path | None = None,
    *,
    fold_residual: bool | None = None,
    strict: bool = True,
    img_size: int | None = None,
) -> tuple[Sam, LoadReport]:
    """Build the model that a weight file belongs to, load it, and say what was loaded.

    Args:
        path: a file of Meta, MedSAM, the published UltraSam, transformers (also a folder), or this package;
            or a name that is downloaded: ``ultrasam``, ``sam_vit_b``, ``medsam``, ...; None or ``small`` for
            the small model that comes with the package.
        fold_residual: undo a doubled residual (see `from_published`); None decides by the file's names.
        strict: refuse a file that lacks parameters or has others; else load what fits, the report says what.
        img_size: bring the position tables to an input of this side, a multiple of the patch.

    Raises:
        CheckpointError: the file can't be read or is of another architecture.
    """
    path = resolve(path)
    try:
        state, usage = read_with_usage(path)
        state, kind, folded = named_as_sam(state, fold_residual=fold_residual)
        spec, variant = detect(state)
        if img_size and img_size != spec.img_size:
            if img_size % spec.patch_size:
                raise CheckpointError(f"the input size {img_size} is not a multiple of {spec.patch_size}")
            state = resized(state, spec, img_size)
            spec = replace(spec, img_size=img_size)
            variant = f"{describe(spec)} (resized)"
        model = build_variant(spec).eval()
        report = load_into(model, state, kind, variant, strict=strict)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}" if str(path) not in str(error) else str(error)) from error
    report.folded = folded
    model.usage = usage
    return model, report


def load_file_into(model: Sam, path: str | Path, *, fold_residual: bool | None = None) -> LoadReport:
    """Load a weight file into a model that is already built.

    Raises:
        CheckpointError: the file can't be read or is of another architecture than the model.
    """
    path = resolve(path)
    state, usage = read_with_usage(path)
    state, kind, folded = named_as_sam(state, fold_residual=fold_residual)
    variant = detect(state)[1]
    try:
        report = load_into(model, state, kind, f"{variant} from {path}")
    except CheckpointError as error:
        raise CheckpointError(
            f"{path} holds {variant}, the configuration builds another model; "
            f"choose the configuration of that variant and input size.\n{error}"
        ) from error
    report.folded = folded
    model.usage = usage
    return report


def load_into(
    model: nn.Module, state: Mapping[str, Tensor], kind: str, variant: str, *, strict: bool = True
) -> LoadReport:
    """Load parameters by name and shape.

    Raises:
        CheckpointError: a shape differs, a value is not finite, or (strict) names are missing or
            unexpected; the message lists them.
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
    if shapes or (strict and (report.missing or report.unexpected)):
        detail = "".join(f"\n  {line}" for line in shapes[:5])
        raise CheckpointError(f"the weights do not fit the model.\n{report}{detail}")
    broken = not_finite(state)
    if broken:
        raise CheckpointError(f"the weights hold NaN or infinity in {', '.join(broken[:3])}: a damaged file")
    model.load_state_dict(state, strict=strict)
    return report
