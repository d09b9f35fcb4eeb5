"""Weight files to state dicts, without running anything that a file brings along."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ultrasam.errors import CheckpointError

#: Wrappers that training frameworks put round a state dict, and prefixes they put before its names.
_CONTAINERS = ("state_dict", "model_state_dict", "model", "ema_state_dict", "network_weights")
_PREFIXES = ("module.", "_orig_mod.", "sam.", "model.", "ema_model.", "ema.", "ema_", "net.")
#: Constants that some files carry and the network makes itself.
_CONSTANTS = ("pixel_mean", "pixel_std", "data_preprocessor.mean", "data_preprocessor.std")
#: Files that a folder of transformers holds.
_IN_FOLDER = ("model.safetensors", "pytorch_model.bin")


class _Inert:
    """Stands for every object of a training log that a weight file carries along; it does nothing."""

    def __init__(self, *args: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        pass


def _allowed() -> list[Any]:
    """Globals that mmengine's containers name beside tensors: numpy's own makers and inert stand-ins."""
    multiarray = ("numpy.core.multiarray", "numpy._core.multiarray")
    allowed: list[Any] = [
        (_Inert, "mmengine.logging.history_buffer.HistoryBuffer"),
        (_Inert, "builtins.getattr"),
        (_Inert, "__builtin__.getattr"),
        np.ndarray,
        np.dtype,
    ]
    for module in multiarray:
        allowed += [
            (np._core.multiarray._reconstruct if hasattr(np, "_core") else _Inert, f"{module}._reconstruct"),
            (np._core.multiarray.scalar if hasattr(np, "_core") else _Inert, f"{module}.scalar"),
        ]
    allowed += [type(np.dtype(code)) for code in ("f8", "f4", "i8", "i4", "u1", "?")]
    return allowed


def read(path: str | Path) -> dict[str, Tensor]:
    """The state dict in a weight file, without wrappers and prefixes; nothing of the file is executed.

    Args:
        path: ``.pth`` / ``.pt`` (bare or in a container of mmengine or others), ``.safetensors``, or a folder
            of transformers.

    Raises:
        CheckpointError: the file is missing, damaged, holds no tensors, or asks to run code.
    """
    path = _file(Path(path))
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            content: Any = load_file(path)
        else:
            with torch.serialization.safe_globals(_allowed()):
                content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"{path} holds objects other than weights and was not loaded, since they could run code: "
            f"{_first_line(error)}"
        ) from error
    except Exception as error:
        raise CheckpointError(f"{path} is not a readable weight file: {_first_line(error)}") from error
    return _strip(_unwrap(content, path))


def _file(path: Path) -> Path:
    if path.is_dir():
        inside = [path / name for name in _IN_FOLDER if (path / name).is_file()]
        if not inside:
            raise CheckpointError(f"the folder {path} holds no weight file ({' or '.join(_IN_FOLDER)})")
        return inside[0]
    if not path.is_file():
        raise CheckpointError(f"no weight file at {path}")
    return path


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _unwrap(content: Any, path: Path) -> dict[str, Tensor]:
    while isinstance(content, Mapping):
        inner = next((content[k] for k in _CONTAINERS if isinstance(content.get(k), Mapping)), None)
        if inner is None:
            break
        content = inner
    state = (
        {k: v for k, v in content.items() if isinstance(v, Tensor)} if isinstance(content, Mapping) else {}
    )
    if not state:
        raise CheckpointError(f"{path} holds no weights (no tensors found in it)")
    return state


def _strip(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Without constants, averaged copies beside the weights, and prefixes that all names share."""
    state = {k: v for k, v in state.items() if not k.endswith(_CONSTANTS)}
    averaged = [k for k in state if k.startswith(("ema_", "ema."))]
    if len(averaged) < len(state):
        state = {k: v for k, v in state.items() if k not in averaged}
    for _ in _PREFIXES:
        for prefix in _PREFIXES:
            if state and all(name.startswith(prefix) for name in state):
                state = {name[len(prefix) :]: value for name, value in state.items()}
    return state
