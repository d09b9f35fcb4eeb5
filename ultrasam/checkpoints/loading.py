"""Weights into a network: models, encoders and backbones, strictly, with a report that a person can read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from ultrasam.checkpoints.detection import describe, detect, detect_encoder, not_finite, resized
from ultrasam.checkpoints.download import resolve
from ultrasam.checkpoints.formats import named_as_sam
from ultrasam.checkpoints.reading import errors_name, read_with_usage
from ultrasam.errors import CheckpointError
from ultrasam.modeling.build import Variant, build_variant
from ultrasam.modeling.sam import ImageEncoder, Sam
from ultrasam.modeling.tiny_vit import TinyVariant
from ultrasam.types import ModelUsage

#: What precedes the encoder's names in weight files of this package, and of its other tasks.
ENCODER, BACKBONE = "image_encoder.", "backbone.encoder."


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


@dataclass(frozen=True)
class NamedWeights:
    """A weight file's parameters under Meta's names.

    Attributes:
        path: the file.
        state: the parameters.
        kind: whose names the file has, see `LoadReport`.
        folded: names of those that were changed to undo the doubled residual.
        usage: what the weights want to be used with.
    """

    path: Path
    state: dict[str, Tensor]
    kind: str
    folded: list[str]
    usage: ModelUsage


def read_named(path: str | Path | None, *, fold_residual: bool | None = None) -> NamedWeights:
    """Read a weight file of any kind; arguments as in `load_with_report`.

    Raises:
        CheckpointError: the file can't be read.
    """
    path = resolve(path)
    with errors_name(path):
        state, usage = read_with_usage(path)
        return NamedWeights(path, *named_as_sam(state, fold_residual=fold_residual), usage)


def read_encoder(path: str | Path) -> tuple[NamedWeights, Variant | TinyVariant]:
    """The image encoder in a weight file of any kind, also of our other tasks, and its architecture.

    Raises:
        CheckpointError: there is no image encoder of this kind in the file.
    """
    weights = read_named(path)
    state, kind = weights.state, weights.kind
    if any(name.startswith(BACKBONE) for name in state):
        state, kind = _renamed(state, BACKBONE, ENCODER), "downstream"
    state = _renamed(state, ENCODER, ENCODER)
    with errors_name(weights.path):
        return replace(weights, state=state, kind=kind), detect_encoder(state, weights.usage.img_size)


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
    weights = read_named(path, fold_residual=fold_residual)
    with errors_name(weights.path):
        spec, variant = detect(weights.state, weights.usage.img_size)
        state, used = resized(weights.state, spec, img_size)
        variant = variant if used == spec else f"{describe(used)} (resized)"
        model = build_variant(used).eval()
        report = _fill(model, replace(weights, state=state), variant, strict=strict)
        if isinstance(used, TinyVariant) and used != spec:
            model.usage = replace(model.usage, img_size=used.img_size)
        return model, report


def load_file_into(model: Sam, path: str | Path, *, fold_residual: bool | None = None) -> LoadReport:
    """Load a weight file into a model that is already built.

    Raises:
        CheckpointError: the file can't be read or is of another architecture than the model.
    """
    weights = read_named(path, fold_residual=fold_residual)
    with errors_name(weights.path):
        variant = detect(weights.state, weights.usage.img_size)[1]
    says = (
        f" holds {variant}, the configuration builds another model; "
        "choose the configuration of that variant and input size.\n"
    )
    with errors_name(weights.path, says):
        return _fill(model, weights, f"{variant} from {weights.path}")


def load_image_encoder(path: str | Path, *, img_size: int | None = None) -> ImageEncoder:
    """The image encoder of a weight file of any kind, without a neck where the file has none.

    Raises:
        CheckpointError: there is no encoder of this kind in the file.
    """
    weights, spec = read_encoder(path)
    with errors_name(weights.path):
        state, spec = resized(weights.state, spec, img_size)
        own = _renamed(state, ENCODER)
        encoder = empty_encoder(spec, neck=any(name.startswith("neck.") for name in own))
        load_into(encoder, own, weights.kind, f"encoder of {weights.path}")
    return encoder.eval()


def load_start(encoder: ImageEncoder, path: str | Path) -> LoadReport:
    """Load the encoder of a weight file of any kind; position tables are brought to the encoder's input size.

    Args:
        encoder: with or without its neck; a file's neck is left out where the encoder has none.
        path: Segment Anything's, MedSAM's, the published UltraSam's, ours, a task's checkpoint, or a
            name that can be fetched.

    Raises:
        CheckpointError: there is no image encoder in the file, or one of another size.
    """
    weights, spec = read_encoder(path)
    own = detect_encoder(_renamed(encoder.state_dict(), "", ENCODER))
    differing = [
        f"{key} {value} and not {getattr(own, key)}"
        for key, value in asdict(spec).items()
        if key not in ("img_size", "out_chans") and value != getattr(own, key, None)
    ]
    with errors_name(weights.path):
        if differing:
            raise CheckpointError(
                f"the file holds the encoder {describe(spec)}, the configuration builds {describe(own)} "
                f"({', '.join(differing)}); set the backbone's 'variant' to the file's"
            )
        state = _renamed(resized(weights.state, spec, own.img_size)[0], ENCODER)
        if not len(encoder.neck):
            state = {name: value for name, value in state.items() if not name.startswith("neck.")}
        return load_into(encoder, state, weights.kind, f"encoder {describe(spec)} of {weights.path}")


def empty_encoder(spec: Variant | TinyVariant, *, neck: bool) -> ImageEncoder:
    """An image encoder whose parameters are still to be loaded: no time goes into random ones."""
    with torch.device("meta"):
        encoder = build_variant(spec).image_encoder
    if not neck:
        encoder.neck = nn.Sequential()
    return encoder.to_empty(device="cpu")


def _renamed(state: Mapping[str, Tensor], old: str, new: str = "") -> dict[str, Tensor]:
    """The parameters whose names begin with ``old``, beginning with ``new`` instead."""
    return {new + n.removeprefix(old): value for n, value in state.items() if n.startswith(old)}


def _fill(model: Sam, weights: NamedWeights, variant: str, *, strict: bool = True) -> LoadReport:
    report = load_into(model, weights.state, weights.kind, variant, strict=strict)
    report.folded, model.usage = weights.folded, weights.usage
    return report


def load_into(
    model: nn.Module, state: Mapping[str, Tensor], kind: str, variant: str, *, strict: bool = True
) -> LoadReport:
    """Load parameters by name and shape.

    Raises:
        CheckpointError: a shape differs, a value is not finite or is whole where the model has real ones, or
            (strict) names are missing or unexpected; the message lists them.
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
    whole = [
        n
        for n in own.keys() & state.keys()
        if own[n].is_floating_point() and not state[n].is_floating_point()
    ]
    if whole:
        raise CheckpointError(
            f"the weights are whole numbers in {', '.join(sorted(whole)[:3])}: were they quantized?"
        )
    broken = not_finite(state)
    if broken:
        raise CheckpointError(f"the weights hold NaN or infinity in {', '.join(broken[:3])}: a damaged file")
    model.load_state_dict(state, strict=strict)
    return report
