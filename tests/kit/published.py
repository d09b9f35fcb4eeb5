"""The published implementation's fixture: weights, images and masks made by formulas, outputs stored."""

import json
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch

from ultrasam.preprocess import Geometry, Postprocessing, to_masks

#: What logits may differ by, as a share of the largest. With these weights they are small sums of large
#: terms, five times as sensitive to rounding as those of other tests: 1.2e-5 with AVX-512, AVX2 and SSE.
ROUNDING = 5e-5
SHARED = Path(__file__).parents[2].parent / "shared" / "reference"


def require() -> None:
    if not (SHARED / "ultrasam_parity.npz").is_file():
        pytest.skip("the reference fixture (../shared/reference) is not at hand")


def load():
    return np.load(SHARED / "ultrasam_parity.npz"), json.loads((SHARED / "ultrasam_parity.json").read_text())


def between(logits: torch.Tensor, geometry: Geometry, mode: Postprocessing) -> list[torch.Tensor]:
    """The smallest and the largest masks (N, H, W) of logits (N, 1, 4h, 4w), in whatever way those round."""
    slack = ROUNDING * logits.abs().max()
    return [to_masks(logits + sign * slack, geometry, mode)[:, 0] for sign in (-1, 1)]


def _value(key, shape):
    z = np.random.RandomState(zlib.crc32(key.encode())).standard_normal(shape)
    if len(shape) == 1 and key.endswith(".weight"):
        z = 1 + 0.1 * z
    elif len(shape) == 1 or "rel_pos" in key:
        z = 0.05 * z
    elif key.endswith("pos_embed"):
        z = 0.3 * z
    elif not ("gaussian_matrix" in key or "label_embedding" in key):
        z = z / np.sqrt(np.prod(shape[1:]))
    return torch.from_numpy(z.astype(np.float32))


def _tiny(key, shape):
    """The shapes of the small encoder: width 48, 4 blocks of which 1 and 3 are global, 4 heads, MLP 96."""
    if not key.startswith("backbone."):
        return shape
    parts = key.split(".")
    if parts[1] == "layers" and int(parts[2]) > 3:
        return None
    if "rel_pos" in key:
        return (127 if int(parts[2]) in (1, 3) else 27, 12)
    swap = {768: 48, 2304: 144, 3072: 96}
    return tuple(swap.get(n, n) for n in shape)


def published_state(size: str) -> dict[str, torch.Tensor]:
    rows = (SHARED / "ultrasam_checkpoint_keys.tsv").read_text().splitlines()
    state = {}
    for row in rows[1:]:
        key, shape = row.split("\t")[:2]
        shape = tuple(int(n) for n in shape.replace("x", ",").strip("()[] ").split(",") if n.strip())
        if size == "tiny":
            shape = _tiny(key, shape)
        if shape is not None:
            state[key] = _value(key, shape)
    return state


def image(index: int) -> np.ndarray:
    height, width = ((300, 420), (1300, 900), (1024, 1024))[index]
    y, x = np.mgrid[:height, :width]

    def wave(v):
        return np.abs(v % 510 - 255)

    planes = wave(3 * x + 2 * y), wave(x + 5 * y), wave(4 * x + 3 * y + 40)
    return np.stack(planes, axis=-1).astype(np.uint8)


def masks(index: int) -> np.ndarray:
    h, w = image(index).shape[:2]
    y, x = np.mgrid[:h, :w]

    def ellipse(cx, cy, a, b):
        return (x - cx) ** 2 * b**2 + (y - cy) ** 2 * a**2 <= a**2 * b**2

    crescent = ellipse(2 * w // 3, 3 * h // 4, w // 5, h // 6)
    crescent &= ~ellipse(2 * w // 3, 3 * h // 4 - h // 24, w // 6, h // 7)
    return np.stack(
        [ellipse(w // 3, h // 2, w // 6, h // 5), ellipse(2 * w // 3, h // 3, w // 9, h // 7), crescent]
    )
