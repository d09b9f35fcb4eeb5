"""Start weights for an encoder that is built already."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from torch import Tensor

from ultrasam.checkpoints.detection import describe, detect_encoder, resized
from ultrasam.checkpoints.download import resolve
from ultrasam.checkpoints.formats import named_as_sam
from ultrasam.checkpoints.loading import LoadReport, load_into
from ultrasam.checkpoints.reading import read
from ultrasam.errors import CheckpointError
from ultrasam.modeling.image_encoder import ImageEncoderViT

#: What precedes the encoder's names in weight files of this package's other tasks.
PREFIX = "backbone.encoder."


def encoder_state(path: str | Path) -> tuple[dict[str, Tensor], str]:
    """The encoder in a weight file of any kind, under Meta's names (``image_encoder...``), and the kind."""
    state, kind, _ = named_as_sam(read(path))
    if any(name.startswith(PREFIX) for name in state):
        renamed = {f"image_encoder.{n.removeprefix(PREFIX)}": v for n, v in state.items() if PREFIX in n}
        return renamed, "downstream"
    return {n: v for n, v in state.items() if n.startswith("image_encoder.")}, kind


def load_start(encoder: ImageEncoderViT, path: str | Path) -> LoadReport:
    """Load the encoder of a weight file of any kind; position tables are brought to the encoder's input size.

    Args:
        encoder: with or without its neck; a file's neck is left out where the encoder has none.
        path: Segment Anything's, MedSAM's, the published UltraSam's, ours, a task's checkpoint, or a
            name that can be fetched.

    Raises:
        CheckpointError: there is no image encoder in the file, or one of another size.
    """
    path = resolve(path)
    try:
        state, kind = encoder_state(path)
        spec = detect_encoder(state)
        own = detect_encoder({f"image_encoder.{n}": v for n, v in encoder.state_dict().items()})
        differing = {
            key: (value, getattr(own, key))
            for key, value in asdict(spec).items()
            if key not in ("img_size", "channels") and value != getattr(own, key)
        }
        if differing:
            shown = ", ".join(f"{key} {theirs} and not {ours}" for key, (theirs, ours) in differing.items())
            raise CheckpointError(
                f"the file holds the encoder {describe(spec)}, the configuration builds {describe(own)} "
                f"({shown}); set the backbone's 'variant' to the file's"
            )
        if spec.img_size != own.img_size:
            state = resized(state, spec, own.img_size)
        named = {n.removeprefix("image_encoder."): v for n, v in state.items()}
        if not len(encoder.neck):
            named = {n: v for n, v in named.items() if not n.startswith("neck.")}
        return load_into(encoder, named, kind, f"encoder {describe(spec)} of {path}")
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}" if str(path) not in str(error) else str(error)) from error
