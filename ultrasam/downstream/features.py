"""Features of images from a frozen encoder, kept on disk: the expensive part is done once."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from ultrasam.downstream.model import as_input
from ultrasam.encoder import Encoder
from ultrasam.images import read_image


@torch.no_grad()
def features(
    encoder: Encoder,
    paths: Sequence[Path],
    *,
    cache: Path | None = None,
    black_padding: bool = False,
    batch: int = 16,
) -> np.ndarray:
    """Pooled features of image files, (N, W) float32.

    Args:
        encoder: with output ``pooled``; runs on the device it is on.
        paths: image files.
        cache: folder to keep them in; None keeps nothing. A changed file, encoder or input size is noticed.
        black_padding: see `ultrasam.downstream.model.as_input`.
        batch: images at once.
    """
    size = encoder.encoder.img_size
    file = None
    if cache is not None:
        key = _key(encoder, paths, f"{size} {black_padding}")
        file = cache / f"{key}.npy"
        if file.is_file():
            return np.load(file)
    device = next(encoder.parameters()).device
    found = []
    for start in tqdm(range(0, len(paths), batch), desc="features", unit="batch", disable=len(paths) < batch):
        inputs = [as_input(read_image(p), size, black_padding) for p in paths[start : start + batch]]
        found.append(encoder(torch.stack(inputs).to(device)).float().cpu().numpy())
    result = np.concatenate(found)
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(f".{os.getpid()}.part.npy")
        np.save(part, result)
        os.replace(part, file)
    return result


def _key(encoder: nn.Module, paths: Sequence[Path], settings: str) -> str:
    """A name that changes with the weights, the files and how they are prepared."""
    digest = hashlib.sha256(settings.encode())
    for name, value in encoder.state_dict().items():
        digest.update(name.encode() + value.cpu().contiguous().numpy().tobytes())
    for path in paths:
        stat = path.stat()
        digest.update(f"{path.resolve()} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:32]
