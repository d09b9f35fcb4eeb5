"""A model's ONNX graphs, which lie beside its weight file and read their weights from it.

``NAME.safetensors`` holds the parameters, ``NAME.encoder.onnx`` and ``NAME.decoder.onnx`` are graphs that
name places in it, and ``NAME.onnx.json`` describes them, with the checksums of all; where the model has
heads (`ultrasam.predict.head_files`), ``NAME.heads.onnx`` is a third. ``ultrasam export
--for predictor`` writes them.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ultrasam.errors import CheckpointError
from ultrasam.predict import head_files
from ultrasam.types import ModelUsage

PARTS = ("encoder", "decoder")
#: A third graph, of models that have heads.
HEADS = "heads"


@dataclass(frozen=True)
class GraphFiles:
    """What is known of a model's graphs.

    Attributes:
        weights: the weight file.
        img_size: S, side of the square input in pixels.
        mask_size: (4h, 4w) of mask logits.
        usage: what the weights want to be used with.
        sha256: file name to checksum, of weights and graphs.
    """

    weights: Path
    img_size: int
    mask_size: tuple[int, int]
    usage: ModelUsage
    sha256: dict[str, str] = field(default_factory=dict)

    def graph(self, part: str) -> Path:
        """The file of the ``encoder``, ``decoder`` or ``heads``."""
        return self.weights.with_suffix(f".{part}.onnx")

    @property
    def of_heads(self) -> tuple[Path, Path]:
        """The heads' parameters and their graph, where there are any."""
        return head_files.beside(self.weights), self.graph(HEADS)

    @property
    def has_heads(self) -> bool:
        """Whether the model has heads."""
        return self.graph(HEADS).name in self.sha256

    def described(self) -> str:
        """The JSON file's text, with the checksums of the files as they are now."""
        files = [self.weights, *(self.graph(part) for part in PARTS)]
        files += [path for path in self.of_heads if path.is_file()]
        facts = {
            "img_size": self.img_size,
            "mask_size": self.mask_size,
            "usage": self.usage.note(),
            "sha256": {path.name: _sha256(path) for path in files},
        }
        return json.dumps(facts, indent=1) + "\n"

    @property
    def digest(self) -> str:
        """One name for these weights and graphs."""
        return hashlib.sha256("".join(self.sha256.values()).encode()).hexdigest()[:32]

    def check(self) -> None:
        """Refuse files that are not those that were written together.

        Raises:
            CheckpointError: one is missing or was changed.
        """
        for name, expected in self.sha256.items():
            path = self.weights.with_name(name)
            if not path.is_file():
                raise CheckpointError(f"{path} is missing, which belongs to {self.weights}: {_REMEDY}")
            if _sha256(path) != expected:
                raise CheckpointError(
                    f"{path} was changed since the ONNX files of {self.weights.name} were written: {_REMEDY}"
                )


_REMEDY = "write them together with 'ultrasam export FILE --for predictor', or install the package again"


def description(weights: Path) -> Path:
    """The JSON file beside a weight file."""
    return weights.with_suffix(".onnx.json")


def read(weights: Path) -> GraphFiles:
    """The graphs beside a weight file.

    Raises:
        CheckpointError: there are none, or their description can't be read.
    """
    path = description(weights)
    if not path.is_file():
        raise CheckpointError(
            f"{weights} has no ONNX files beside it ({path.name}), which the engine 'onnx' needs: where "
            f"PyTorch is installed, 'ultrasam export {weights} --for predictor --out FOLDER' writes them"
        )
    try:
        facts: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        height, width = (int(v) for v in facts["mask_size"])
        sums = {str(name): str(value) for name, value in facts["sha256"].items()}
        found = GraphFiles(
            weights, int(facts["img_size"]), (height, width), ModelUsage.of(facts["usage"]), sums
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{path} does not describe ONNX files ({error!r}): {_REMEDY}") from error
    expected = {weights.name, *(found.graph(part).name for part in PARTS)}
    if set(sums) not in (expected, expected | {path.name for path in found.of_heads}):
        raise CheckpointError(f"{path} should have checksums of {', '.join(sorted(expected))}: {_REMEDY}")
    return found


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
