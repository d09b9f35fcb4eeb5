"""Twenty kills of a working annotation server: ``python -m tests.long.annotate_kills``."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import torch

from tests.kit.killing import killed_at
from tests.kit.models import tiny
from ultrasam.predict.predictor import Predictor


def main(kills: int = 20) -> None:
    network = tiny()
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "tiny.pth"
        torch.save(network.state_dict(), weights)
        for seed in range(kills):
            edits = killed_at(Path(folder) / f"kill{seed}", seed, weights, Predictor(network))
            print(f"kill {seed + 1} of {kills}: {edits} changes were answered, and all are there", flush=True)


if __name__ == "__main__":
    main(*(int(text) for text in sys.argv[1:]))
