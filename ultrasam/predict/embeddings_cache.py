"""Image embeddings on disk, so that an image is encoded once however often it is prompted."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ultrasam.data import files
from ultrasam.errors import UltraSamError

if TYPE_CHECKING:
    from torch import nn


def fingerprint(model: nn.Module) -> str:
    """A digest of a model's parameters: embeddings of other weights are never mistaken for its own."""
    import torch

    digest = hashlib.blake2b(digest_size=16)
    for name, value in sorted(model.state_dict().items()):
        digest.update(f"{name}{tuple(value.shape)}{value.dtype}".encode())
        digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


class EmbeddingsCache:
    """A folder of embeddings, named by what they were computed from.

    Args:
        folder: made if it does not exist.
        max_bytes: the files that were not used for longest are removed beyond this size.
    """

    def __init__(self, folder: str | Path, max_bytes: int = 20 * 2**30) -> None:
        self.folder = Path(folder)
        self.max_bytes = max_bytes
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UltraSamError(
                f"cannot make the cache folder {self.folder}: {error.strerror}; name another"
            ) from error
        self._bytes = sum(path.stat().st_size for path in self._files())

    @staticmethod
    def key(image: np.ndarray, *settings: object) -> str:
        """The name of an image's embedding: a digest of its pixels (H, W, 3) uint8 and the settings."""
        digest = hashlib.blake2b(digest_size=20)
        digest.update(repr((image.shape, *settings)).encode())
        digest.update(np.ascontiguousarray(image).data)
        return digest.hexdigest()

    def get(self, key: str) -> NDArray[np.float32] | None:
        """The embedding (1, C, h, w) of a key, or None; a damaged file counts as absent."""
        from safetensors.numpy import load_file

        path = self._path(key)
        try:
            embedding = load_file(path)["embedding"]
            os.utime(path)
        except Exception:
            return None
        return embedding

    def put(self, key: str, embedding: NDArray[np.float32]) -> None:
        """Keep an embedding (1, C, h, w); readers never see a half-written file."""
        from safetensors.numpy import save

        path = self._path(key)
        files.write_bytes(path, save({"embedding": np.ascontiguousarray(embedding)}))
        self._bytes += path.stat().st_size
        if self._bytes > self.max_bytes:
            self._prune()

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.safetensors"

    def _files(self) -> list[Path]:
        return list(self.folder.glob("??/*.safetensors"))

    def _prune(self) -> None:
        kept = sorted(self._files(), key=lambda path: path.stat().st_mtime)
        self._bytes = sum(path.stat().st_size for path in kept)
        while kept and self._bytes > self.max_bytes:
            oldest = kept.pop(0)
            self._bytes -= oldest.stat().st_size
            oldest.unlink(missing_ok=True)
