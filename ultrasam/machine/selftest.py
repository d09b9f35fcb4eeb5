"""Does this machine compute what it should? Every variant, with made-up weights, against stored numbers."""

from __future__ import annotations

import json
import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ultrasam.errors import UltraSamError
from ultrasam.modeling.build import build_ultrasam
from ultrasam.modeling.sam import Sam
from ultrasam.types import Prompts

GOLDEN = Path(__file__).with_name("golden.json")
#: Small enough for seconds on a CPU, large enough for windows, padding and global attention.
IMG_SIZE = 256
#: The numbers go up to 9. Float32 moves them by 1e-5, with any instruction set and number of threads; half
#: precision or a wrong product by 1e-2 and more.
TOLERANCE = 1e-3


@dataclass(frozen=True)
class Check:
    """One variant's result.

    Attributes:
        variant: its name.
        error: largest difference from the stored numbers; NaN where none are stored.
        seconds: what building and computing took.
    """

    variant: str
    error: float
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether the numbers agree."""
        return self.error <= TOLERANCE

    def __str__(self) -> str:
        if np.isnan(self.error):
            return f"{self.variant}: built, no numbers to compare with"
        word = "ok" if self.passed else "WRONG"
        return f"{self.variant}: {word}, largest difference {self.error:.1e}, {self.seconds:.1f} s"


def run(variants: Sequence[str], device: str = "cpu") -> list[Check]:
    """Build variants, compute, compare.

    Raises:
        UltraSamError: the stored numbers are missing.
    """
    try:
        golden = json.loads(GOLDEN.read_text())
    except OSError as error:
        raise UltraSamError(
            f"the stored numbers are missing ({GOLDEN}): install the package again"
        ) from error
    return [_check(name, golden.get(name), device) for name in variants]


def _check(name: str, expected: list[float] | None, device: str) -> Check:
    start = time.perf_counter()
    found = numbers(made_up(build_ultrasam(name, img_size=IMG_SIZE)).to(device))
    seconds = time.perf_counter() - start
    error = float("nan") if expected is None else float(np.abs(np.array(found) - expected).max())
    return Check(name, error, seconds)


@torch.no_grad()
def numbers(model: Sam) -> list[float]:
    """A sample of the embedding, of the logits of two prompts, and their predicted IoU."""
    size = model.img_size
    y, x = np.mgrid[:size, :size]
    planes = [np.sin(x / 17 + k) + np.cos(y / 11 - k) for k in range(3)]
    image = torch.from_numpy(np.stack(planes)).float()[None].to(model.device)
    # TF32, which cuDNN takes by itself, is not what is checked.
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        embedding = model.encode_images(image)
    prompts = Prompts(
        torch.zeros(2, dtype=torch.long),
        points=torch.tensor([[[80.5, 90.5]], [[0.0, 0.0]]]),
        labels=torch.tensor([[1], [-1]]),
        boxes=torch.tensor([[float("nan")] * 4, [30.0, 40.0, 200.0, 180.0]]),
    ).to(model.device)
    found = model.decode(embedding, prompts, multimask=True)
    parts = [embedding[0, ::32, ::5, ::5], found.logits[:, 0, ::13, ::13], found.iou]
    return [round(float(v), 5) for part in parts for v in part.flatten().cpu()]


def made_up(model: Sam) -> Sam:
    """The model with weights from a formula that is the same everywhere and always."""
    with torch.no_grad():
        for name, value in model.state_dict().items():
            value.copy_(_value(name, value))
    return model.eval()


def _value(name: str, like: Tensor) -> Tensor:
    z = np.random.RandomState(zlib.crc32(name.encode())).standard_normal(tuple(like.shape))
    if like.ndim == 1:
        z = (1.0 if name.endswith("weight") else 0.0) + 0.1 * z
    elif "rel_pos" in name or "pos_embed" in name:
        z = 0.1 * z
    elif "gaussian" not in name and like.shape[0] > 4:
        z = z / np.sqrt(np.prod(like.shape[1:]))
    return torch.from_numpy(z.astype(np.float32))


def write_golden(variants: Sequence[str]) -> dict[str, Any]:
    """Make the stored numbers anew; for changes that are meant."""
    stored = json.loads(GOLDEN.read_text()) if GOLDEN.exists() else {}
    stored.update({n: numbers(made_up(build_ultrasam(n, img_size=IMG_SIZE))) for n in variants})
    GOLDEN.write_text(json.dumps(stored))
    return stored
