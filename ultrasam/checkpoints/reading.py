"""Weight files to state dicts, without running anything that a file brings along."""

from __future__ import annotations

import io
import pickle  # noqa: TID251  its error alone
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ultrasam.checkpoints.folders import note_of_folder, weight_files
from ultrasam.checkpoints.plain import plain_tensors
from ultrasam.checkpoints.sniffing import Format, format_of
from ultrasam.checkpoints.tiny_detection import usual_usage
from ultrasam.converters.engine.plain_arrays import MAKERS
from ultrasam.errors import CheckpointError
from ultrasam.types import ModelUsage

#: Wrappers that training frameworks put round a state dict, and prefixes they put before its names.
_CONTAINERS = (
    *("state_dict", "model_state_dict", "model_state", "model", "ema_state_dict", "network_weights"),
)
_PREFIXES = ("module.", "_orig_mod.", "sam.", "model.", "ema_model.", "ema.", "ema_", "net.")
#: Constants that some files carry and the network makes itself.
_CONSTANTS = ("pixel_mean", "pixel_std", "data_preprocessor.mean", "data_preprocessor.std")


#: mmengine's class of logged numbers, as its checkpoints name it.
HISTORY_BUFFER = "mmengine.logging.history_buffer.HistoryBuffer"


class _Inert:
    """Stands for every object of a training log that a weight file carries along; it does nothing."""

    def __init__(self, *args: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        pass


def _allowed() -> dict[str, Any]:
    """Globals that mmengine's containers name beside tensors: plain arrays and inert stand-ins."""
    return {
        HISTORY_BUFFER: _Inert,
        "builtins.getattr": _Inert,
        "__builtin__.getattr": _Inert,
        **{f"{module}.{name}": made for (module, name), made in MAKERS.items()},
    }


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
        path: a file of ``torch.save`` (bare or in a container of mmengine or others) or of safetensors, under
            any name, or a folder of transformers.

    Raises:
        CheckpointError: the file is missing, damaged or none of weights, holds tensors that are not plain
            numbers, or asks to run code.
    """
    path = Path(path)
    files = weight_files(path)
    state: dict[str, Tensor] = {}
    note: Any = None
    for file in files:
        content, note = _content(file)
        tensors = plain_tensors(content, file)
        if not tensors:
            raise CheckpointError(f"{file} holds no weights (no tensors found in it)")
        state |= tensors
    if path.is_dir():
        note = note_of_folder(path)
    with errors_name(files[0]):
        state = _strip(state)
        return state, ModelUsage.of(note) if note is not None else usual_usage(state)


def read_objects(path: Path, stand_ins: Mapping[str, type] | None = None) -> Any:
    """What a file of ``torch.save`` (or of safetensors) holds, on the CPU; nothing of it is executed.

    Args:
        path: the file.
        stand_ins: harmless classes to make instead of those that a file names.

    Raises:
        CheckpointError: the file is missing or damaged, is none of PyTorch, or asks to run code.
    """
    return _opened(path, stand_ins or {})[0]


def _opened(path: Path, stand_ins: Mapping[str, type]) -> tuple[Any, Any]:
    """What a file holds, and the note of a header on its use."""
    if format_of(path) is Format.SAFETENSORS:
        return _read_safetensors(path)
    allowed = _allowed() | dict(stand_ins)
    made: list[Any] = [(kind, name) for name, kind in allowed.items()]
    try:
        # An open file: torch would go by the ending of a name.
        with path.open("rb") as file, torch.serialization.safe_globals(made):
            return torch.load(file, map_location="cpu", weights_only=True), None  # noqa: TID251  the one place
    except pickle.UnpicklingError as error:
        raise _refused(path, error) from error
    # Damaged content surfaces as any error of the many readers beneath.
    except Exception as error:
        raise _unreadable(path, error) from error


def read_bytes(data: bytes) -> Any:
    """What bytes of ``torch.save`` hold that are part of another file, on the CPU; nothing is executed.

    Raises:
        pickle.UnpicklingError: they hold anything but tensors.
    """
    return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)  # noqa: TID251  as above


def _refused(path: Path, error: Exception) -> CheckpointError:
    """PyTorch's own message advises to switch off what protects."""
    named = re.search(r"GLOBAL ([\w.]+)", str(error))
    detail = re.search(r"WeightsUnpickler error: (.*)", str(error))
    if named or detail is None:
        what = f" ({named[1]})" if named else ""
        return CheckpointError(
            f"{path} holds objects other than weights{what} and was not loaded, since they could run code; "
            "save its tensors alone (torch.save(model.state_dict(), ...) or safetensors)"
        )
    return CheckpointError(
        f"{path} is not a readable weight file: its pickle is damaged, or is not PyTorch's protocol 2 and "
        f"could run code ({detail[1].split('.')[0].strip()})"
    )


def _content(path: Path) -> tuple[Mapping[str, Any], Any]:
    """The innermost state dict of a file, and its note on its use."""
    content, note = _opened(path, {})
    state = _unwrap(content, path)
    return state, note or note_of(state)


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


def _first_line(error: Exception) -> str:
    line = (str(error).strip().splitlines() or [type(error).__name__])[0]
    # Never PyTorch's advice to load it without care.
    return type(error).__name__ if "weights_only" in line else line


def _unreadable(path: Path, error: Exception) -> CheckpointError:
    return CheckpointError(f"{path} is not a readable weight file: {_first_line(error)}")


def _unwrap(content: Any, path: Path) -> Mapping[str, Any]:
    """The innermost state dict."""
    seen: list[Any] = []
    while isinstance(content, Mapping):
        if any(content is outer for outer in seen):
            raise CheckpointError(f"{path} holds no weights: its dict lies within itself")
        seen.append(content)
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
