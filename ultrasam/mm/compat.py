"""Bridges to OpenMMLab on a current PyTorch and without a compiler; each acts only where it is needed.

Imported before anything of OpenMMLab.
"""

from __future__ import annotations

import atexit
import importlib
import os
import subprocess
import sys
import warnings
from importlib import metadata
from typing import Any

import torch

from ultrasam.errors import ConfigError
from ultrasam.machine.torchvision_compat import bridge_torchvision
from ultrasam.mm.missing_ops import MissingOps
from ultrasam.mm.opening import bridge_loading


def bridge_mmcv() -> None:
    """Let ``import mmcv.ops`` work without the compiled operators; see `MissingOps`."""
    try:
        importlib.import_module("mmcv._ext")
    except ImportError:
        # mmcv must find the stand-in before it imports its operators.
        stand_in = MissingOps("mmcv._ext")
        stand_in.__spec__ = importlib.machinery.ModuleSpec("mmcv._ext", None)
        sys.modules["mmcv._ext"] = stand_in
        _attend_in_pytorch()


def _attend_in_pytorch() -> None:
    """Multi-scale deformable attention takes mmcv's PyTorch path on CUDA too."""
    module: Any = importlib.import_module("mmcv.ops.multi_scale_deform_attn")

    class PytorchFunction:
        @staticmethod
        def apply(value: Any, shapes: Any, starts: Any, locations: Any, weights: Any, step: Any) -> Any:
            return module.multi_scale_deformable_attn_pytorch(value, shapes, locations, weights)

    module.MultiScaleDeformableAttnFunction = PytorchFunction


def bridge_mmpretrain() -> None:
    """Leave out mmpretrain's language models where transformers is too new for them.

    They name parts that transformers 5 removed, and would take mmpretrain, and mmdet with it, down at import.
    """
    try:
        outdated = int(metadata.version("transformers").split(".")[0]) >= 5
        dependency: Any = importlib.import_module("mmpretrain.utils.dependency") if outdated else None
    except (metadata.PackageNotFoundError, ImportError):
        return
    if dependency is not None:
        dependency.WITH_MULTIMODAL = False


#: What a process is called by those who start it: number, how many there are, number on its machine.
_CALLED = {
    "slurm": ("SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID"),
    "mpi": ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK"),
}


def init_process_group(launcher: str) -> None:
    """Say where processes meet, and join the others over gloo where there is no GPU.

    mmengine's own start selects a CUDA device; it leaves alone a group that is already there.

    Raises:
        ConfigError: the launcher is another than the one named.
    """
    if launcher == "none" or torch.distributed.is_initialized():
        return
    for name, called in zip(("RANK", "WORLD_SIZE", "LOCAL_RANK"), _CALLED.get(launcher, ()), strict=False):
        if called not in os.environ:
            raise ConfigError(f"--launcher {launcher}, but {called} is not set: start it with srun or mpirun")
        os.environ[name] = os.environ[called]
    if launcher == "slurm" and "MASTER_ADDR" not in os.environ:
        os.environ["MASTER_ADDR"] = _first_node()
    if launcher in _CALLED:
        os.environ.setdefault("MASTER_PORT", str(_port()))
    if not torch.cuda.is_available():
        torch.distributed.init_process_group(backend="gloo")
        # Its threads may not outlive Python: a process that was done would now and then end with an abort.
        atexit.register(_leave_process_group)


def _leave_process_group() -> None:
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def _first_node() -> str:
    """The machine of the first process of a step of SLURM."""
    nodes = os.environ.get("SLURM_STEP_NODELIST") or os.environ.get("SLURM_NODELIST", "")
    command = ["scontrol", "show", "hostnames", nodes]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[0]
    except (OSError, subprocess.CalledProcessError, IndexError) as error:
        raise ConfigError(
            f"'{' '.join(command)}' does not say where processes meet; set MASTER_ADDR to the first machine"
        ) from error


def _port() -> int:
    """Another one for each step of SLURM, since several may run on a machine."""
    ids = [os.environ.get(name, "") for name in ("SLURM_JOB_ID", "SLURM_STEP_ID")]
    return 20000 + sum(map(int, ids)) % 10000 if all(map(str.isdecimal, ids)) else 29500


# mmdet asks for a second COCO evaluation that nothing here uses.
warnings.filterwarnings("ignore", message="faster_coco_eval is not installed")
bridge_torchvision()
bridge_mmcv()
bridge_mmpretrain()
bridge_loading()
