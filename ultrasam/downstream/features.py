"""Features of images from a frozen encoder, kept on disk: the expensive part is done once."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from ultrasam.data.files import open_atomic
from ultrasam.data.images import read_image
from ultrasam.downstream.encoder import Encoder
from ultrasam.downstream.model import as_input

logger = logging.getLogger(__name__)


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
        cache: folder to keep them in; None keeps nothing. Another encoder or input size has a file of its
            own there; images that are new or have changed are computed and added.
        black_padding: see `ultrasam.downstream.model.as_input`.
        batch: images at once.
    """
    file = None if cache is None else cache / f"{_key(encoder, black_padding)}.npz"
    keys = [_signature(path) for path in paths]
    known: dict[str, np.ndarray] = {}
    if file is not None and file.is_file():
        known = _read(file)
    new = {key: path for key, path in zip(keys, paths, strict=True) if key not in known}
    if new:
        known.update(zip(new, _compute(encoder, list(new.values()), black_padding, batch), strict=True))
        if file is not None:
            _write(file, known)
    return np.stack([known[key] for key in keys])


@torch.no_grad()
def _compute(encoder: Encoder, paths: Sequence[Path], black_padding: bool, batch: int) -> np.ndarray:
    size, device = encoder.encoder.img_size, next(encoder.parameters()).device
    found = []
    for start in tqdm(range(0, len(paths), batch), desc="features", unit="batch", disable=len(paths) < batch):
        inputs = [as_input(read_image(p), size, black_padding) for p in paths[start : start + batch]]
        found.append(encoder(torch.stack(inputs).to(device)).float().cpu().numpy())
    return np.concatenate(found)


def _read(file: Path) -> dict[str, np.ndarray]:
    """What is kept in a file; one that is damaged, or holds anything but arrays, is made anew."""
    try:
        with np.load(file, allow_pickle=False) as content:  # noqa: TID251  arrays alone
            return dict(zip(content["keys"].tolist(), content["features"], strict=True))
    except (OSError, EOFError, KeyError, ValueError, AttributeError, TypeError, BadZipFile) as error:
        logger.warning("%s is damaged (%s): its features are computed again", file, error)
        return {}


def _write(file: Path, known: dict[str, np.ndarray]) -> None:
    with open_atomic(file) as out:
        np.savez(out, keys=np.array(list(known)), features=np.stack(list(known.values())))


def _key(encoder: nn.Module, black_padding: bool) -> str:
    """A name that changes with the weights, the input size (by the position tables) and the padding."""
    digest = hashlib.sha256(str(black_padding).encode())
    for name, value in encoder.state_dict().items():
        digest.update(name.encode() + value.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:32]


def _signature(path: Path) -> str:
    """What changes when an image file does."""
    stat = path.stat()
    return f"{path.resolve()} {stat.st_size} {stat.st_mtime_ns}"
