"""Folders of transformers: which files hold the weights, and what is said beside them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ultrasam.errors import CheckpointError
from ultrasam.types import ModelUsage

#: Files that such a folder holds; those with ``index`` name the pieces of weights that were cut up.
_IN_FOLDER = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)


def weight_files(path: Path) -> list[Path]:
    """The file itself, or the files with a folder's weights.

    Raises:
        CheckpointError: there is none, or pieces are missing.
    """
    if path.is_dir():
        inside = [path / name for name in _IN_FOLDER if (path / name).is_file()]
        if not inside:
            raise CheckpointError(f"the folder {path} holds no weight file ({' or '.join(_IN_FOLDER)})")
        return _pieces(inside[0]) if inside[0].suffix == ".json" else inside[:1]
    if not path.is_file():
        raise CheckpointError(f"no weight file at {path}")
    return [path]


def note_of_folder(folder: Path) -> Any:
    """What a folder's ``config.json`` says on the use of its weights."""
    config = folder / "config.json"
    try:
        return json.loads(config.read_text()).get(ModelUsage.KEY) if config.is_file() else None
    except (ValueError, AttributeError, OSError) as error:
        raise CheckpointError(f"{config} is not a configuration of transformers: {error}") from error


def _pieces(index: Path) -> list[Path]:
    """The files that an index names; all lie beside it."""
    try:
        names = sorted(set(json.loads(index.read_text())["weight_map"].values()))
        pieces = [index.parent / name for name in names]
    except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
        raise CheckpointError(f"{index} is not an index of transformers: {error}") from error
    outside = [name for name, piece in zip(names, pieces, strict=True) if piece.parent != index.parent]
    if outside or not pieces:
        raise CheckpointError(f"{index} names {', '.join(outside) or 'no file'}: its pieces lie beside it")
    missing = [piece.name for piece in pieces if not piece.is_file()]
    if missing:
        raise CheckpointError(f"{index} names pieces that are not there: {', '.join(missing)}")
    return pieces
