"""Small heads on an image encoder, kept in a file of their own beside the weights that they belong to.

``NAME.heads.safetensors`` holds them, for ``NAME.safetensors``; its header has the digest of the encoder
that they were trained on. Weights with the same encoder, as those whose decoder alone was tuned, share them.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ultrasam.checkpoints.places import OWN_FILE
from ultrasam.errors import CheckpointError

#: In the header: the digest of the image encoder.
ENCODER = "encoder"
#: How the parameters of the box head begin.
BOX = "box."


def beside(weights: Path) -> Path:
    """Where the heads of a weight file lie."""
    return weights.with_suffix(".heads.safetensors")


def find(digest: str, weights: Path | None = None) -> Path | None:
    """The heads for an image encoder.

    Args:
        digest: `ultrasam.predict.embeddings_cache.fingerprint` of the image encoder in float32.
        weights: the file that it came from.

    Raises:
        CheckpointError: a file of heads can't be read.
    """
    for path in (*([beside(weights)] if weights else []), beside(OWN_FILE)):
        if path.is_file() and read(path)[1] == digest:
            return path
    return None


def read(path: Path) -> tuple[dict[str, np.ndarray], str]:
    """The parameters in a file of heads, float32, and the digest of their image encoder.

    Raises:
        CheckpointError: it can't be read.
    """
    from safetensors import safe_open

    try:
        with safe_open(path, "numpy") as file:
            # It is no mapping.
            found = {name: file.get_tensor(name).astype(np.float32) for name in file.keys()}  # noqa: SIM118
            return found, (file.metadata() or {}).get(ENCODER, "")
    except Exception as error:
        raise CheckpointError(f"{path} is not a readable file of heads: {error}") from error


def part(parameters: dict[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    """The parameters of one head."""
    return {n.removeprefix(prefix): value for n, value in parameters.items() if n.startswith(prefix)}
