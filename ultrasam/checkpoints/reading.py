"""Weight files to state dicts, without running anything that a file brings along."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ultrasam.errors import CheckpointError
from ultrasam.types import ModelUsage

#: Wrappers that training frameworks put round a state dict, and prefixes they put before its names.
_CONTAINERS = ("state_dict", "model_state_dict", "model", "ema_state_dict", "network_weights")
_PREFIXES = ("module.", "_orig_mod.", "sam.", "model.", "ema_model.", "ema.", "ema_", "net.")
#: Constants that some files carry and the network makes itself.
_CONSTANTS = ("pixel_mean", "pixel_std", "data_preprocessor.mean", "data_preprocessor.std")
#: Files that a folder of transformers holds.
_IN_FOLDER = ("model.safetensors", "pytorch_model.bin")


#: mmengine's class of logged numbers, as its checkpoints name it.
HISTORY_BUFFER = "mmengine.logging.history_buffer.HistoryBuffer"


class _Inert:
    """Stands for every object of a training log that a weight file carries along; it does nothing."""

    def __init__(self, *args: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        pass


def _allowed() -> dict[str, Any]:
    """Globals that mmengine's containers name beside tensors: numpy's own makers and inert stand-ins."""
    allowed: dict[str, Any] = {
        HISTORY_BUFFER: _Inert,
        "builtins.getattr": _Inert,
        "__builtin__.getattr": _Inert,
        "numpy.ndarray": np.ndarray,
        "numpy.dtype": np.dtype,
    }
    for module in ("numpy.core.multiarray", "numpy._core.multiarray"):
        allowed[f"{module}._reconstruct"] = (
            np._core.multiarray._reconstruct if hasattr(np, "_core") else _Inert
        )
        allowed[f"{module}.scalar"] = np._core.multiarray.scalar if hasattr(np, "_core") else _Inert
    dtypes = {type(np.dtype(code)) for code in ("f8", "f4", "i8", "i4", "u1", "?")}
    return allowed | {f"{kind.__module__}.{kind.__qualname__}": kind for kind in dtypes}


@contextmanager
def errors_name(path: Path, says: str | None = None) -> Iterator[None]:
    """Errors of weights say which file they are about, unless they do so already.

    Args:
        path: the file.
        says: what the message says of it in any case, between the path and the error.
    """
    try:
        yield
    except CheckpointError as error:
        if says is None and str(path) in str(error):
            raise
        raise CheckpointError(f"{path}{says or ': '}{error}") from error


def read(path: str | Path) -> dict[str, Tensor]:
    """The state dict in a weight file, without wrappers and prefixes; see `read_with_usage`."""
    return read_with_usage(path)[0]


def read_with_usage(path: str | Path) -> tuple[dict[str, Tensor], ModelUsage]:
    """The state dict in a weight file, without wrappers and prefixes, and what it wants to be used with.

    Args:
        path: ``.pth`` / ``.pt`` (bare or in a container of mmengine or others), ``.safetensors``, or a folder
            of transformers.

    Raises:
        CheckpointError: the file is missing, damaged, holds no tensors, or asks to run code.
    """
    given, path = Path(path), _file(Path(path))
    if path.suffix == ".safetensors":
        state: Mapping[str, Any]
        state, note = _read_safetensors(path)
    else:
        state = _unwrap(read_objects(path), path)
        note = note_of(state)
    if given.is_dir():
        note = _note_of_transformers(given)
    with errors_name(path):
        usage = ModelUsage.of(note)
    tensors = {name: value for name, value in state.items() if isinstance(value, Tensor)}
    if not tensors:
        raise CheckpointError(f"{path} holds no weights (no tensors found in it)")
    return _strip(tensors), usage


def read_objects(path: Path, stand_ins: Mapping[str, type] | None = None) -> Any:
    """What a file of ``torch.save`` holds, on the CPU; nothing of the file is executed.

    Args:
        path: the file.
        stand_ins: harmless classes to make instead of those that a file names.

    Raises:
        CheckpointError: the file is missing or damaged, or asks to run code.
    """
    allowed = _allowed() | dict(stand_ins or {})
    try:
        with torch.serialization.safe_globals([(made, name) for name, made in allowed.items()]):
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"{path} holds objects other than weights and was not loaded, since they could run code: "
            f"{_first_line(error)}"
        ) from error
    except Exception as error:
        raise _unreadable(path, error) from error


def note_of(state: Mapping[str, Any]) -> Any:
    """What a state dict's metadata say on the use of its weights; None where they say nothing."""
    metadata = getattr(state, "_metadata", None)
    entries = metadata.values() if isinstance(metadata, Mapping) else ()
    notes = (entry.get(ModelUsage.KEY) for entry in entries if isinstance(entry, Mapping))
    return next(filter(None, notes), None)


def _read_safetensors(path: Path) -> tuple[dict[str, Tensor], str | None]:
    """The tensors, and the header's note on their use."""
    from safetensors import safe_open

    try:
        with safe_open(path, "pt") as file:
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  it is no mapping
            return state, (file.metadata() or {}).get(ModelUsage.KEY)
    except Exception as error:
        raise _unreadable(path, error) from error


def _note_of_transformers(folder: Path) -> Any:
    """What a folder's ``config.json`` says on the use of its weights."""
    config = folder / "config.json"
    try:
        return json.loads(config.read_text()).get(ModelUsage.KEY) if config.is_file() else None
    except (ValueError, AttributeError, OSError) as error:
        raise CheckpointError(f"{config} is not a configuration of transformers: {error}") from error


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


def _unreadable(path: Path, error: Exception) -> CheckpointError:
    return CheckpointError(f"{path} is not a readable weight file: {_first_line(error)}")


def _unwrap(content: Any, path: Path) -> Mapping[str, Any]:
    """The innermost state dict."""
    while isinstance(content, Mapping):
        inner = next((content[k] for k in _CONTAINERS if isinstance(content.get(k), Mapping)), None)
        if inner is None:
            return content
        content = inner
    raise CheckpointError(f"{path} holds no weights (no tensors found in it)")


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
