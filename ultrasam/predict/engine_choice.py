"""Which engine runs a model, and the model loaded into it."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ultrasam.checkpoints.places import OWN, OWN_FILE
from ultrasam.errors import UltraSamError
from ultrasam.machine import threads
from ultrasam.machine.extras import is_installed, need
from ultrasam.predict import graph_files
from ultrasam.predict.engine import Engine, EngineName
from ultrasam.preprocess import require_one_of

if TYPE_CHECKING:
    import torch

    from ultrasam.predict.torch_engine import TorchEngine

logger = logging.getLogger(__name__)

#: What drivers of GPUs that PyTorch knows show on Linux: NVIDIA's, AMD's, and those of Windows' subsystem.
_GPUS = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")


def open_engine(
    model: Any,
    engine: EngineName | None = None,
    device: str | torch.device | None = None,
    dtype: torch.dtype | None = None,
) -> Engine:
    """A model in an engine.

    Args:
        model: a `Sam`, a weight file, or a name; None for the small model.
        engine: see `EngineName`; None is PyTorch where it is installed, else onnxruntime.
        device: where to run; the best at hand for a file, where the model is for a model.
        dtype: half precision for the encoder; PyTorch alone has it.

    Raises:
        UltraSamError: the engine is not installed, or can't do what is asked; it names what to install.
        CheckpointError: the weights can't be loaded, or have no ONNX files.
    """
    if engine is not None:
        require_one_of("engine", engine, EngineName)
    threads.set_up()
    is_file = model is None or isinstance(model, (str, Path))
    if engine == "auto" and not (is_file and _suits_onnx(model, device, dtype)):
        engine = None
    if engine is None and is_file and not is_installed("torch"):
        engine = "onnx"
    if engine not in ("onnx", "auto"):
        need("the engine 'torch'", "torch")
        return _torch(model, device, dtype)
    if not is_file:
        raise UltraSamError("the engine 'onnx' takes a weight file with ONNX files beside it, not a model")
    if dtype is not None:
        raise UltraSamError("the engine 'onnx' has no half precision: leave out dtype, or use engine='torch'")
    try:
        return _onnx(model, device)
    except UltraSamError as error:
        if engine != "auto" or not is_installed("torch"):
            raise
        logger.warning("%s; the model runs in PyTorch", error)
        return _torch(model, device, dtype)


def pytorch(engine: Engine) -> TorchEngine:
    """An engine, where it is PyTorch's.

    Raises:
        UltraSamError: it is another.
    """
    # Whoever made one has imported it; nobody else needs PyTorch for the answer.
    home = sys.modules.get("ultrasam.predict.torch_engine")
    if home is None or not isinstance(engine, home.TorchEngine):
        raise UltraSamError("this needs the model in PyTorch: make the predictor with engine='torch'")
    return engine


def _suits_onnx(model: Any, device: str | torch.device | None, dtype: torch.dtype | None) -> bool:
    """Whether onnxruntime can run a file and is the quicker one: where there is no GPU."""
    if not is_installed("onnxruntime") or not graph_files.description(weights_file(model)).is_file():
        return False
    if dtype is not None or (device is not None and str(device) != "cpu"):
        return not is_installed("torch")
    return device is not None or not is_installed("torch") or not may_have_gpu()


def may_have_gpu() -> bool:
    """Whether PyTorch might find a GPU; asking PyTorch itself would take a second."""
    if sys.platform.startswith("linux"):
        return any(Path(name).exists() for name in _GPUS)
    return True


def weights_file(model: str | Path | None) -> Path:
    """The file of a name or path, as far as nothing need be downloaded."""
    return OWN_FILE if model in (None, OWN) else Path(str(model))


def _onnx(model: str | Path | None, device: str | torch.device | None) -> Engine:
    from ultrasam.predict.onnx_engine import OnnxEngine

    return OnnxEngine(graph_files.read(weights_file(model)), None if device is None else str(device))


def _torch(model: Any, device: str | torch.device | None, dtype: torch.dtype | None) -> Engine:
    from ultrasam import checkpoints
    from ultrasam.modeling.sam import Sam
    from ultrasam.predict.torch_engine import TorchEngine, available, best_device

    weights = None
    if not isinstance(model, Sam):
        weights = weights_file(model)
        model, device = checkpoints.load(model), device or best_device()
    model = model.to(available(device) if device is not None else model.device).eval()
    return TorchEngine(model, dtype, weights)
