"""Bridges to OpenMMLab on a current PyTorch and without a compiler; each acts only where it is needed.

Imported before anything of OpenMMLab.
"""

from __future__ import annotations

import importlib
import os
import sys
import warnings
from importlib import metadata
from types import ModuleType
from typing import Any

import torch

from ultrasam.machine.torchvision_compat import bridge_torchvision


class _MissingOps(ModuleType):
    """Stands for mmcv's compiled operators where they were not built; each explains itself when called."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)

        def refuse(*args: Any, **kwargs: Any) -> None:
            raise RuntimeError(
                f"mmcv's compiled operator '{name}' is not installed; nothing of UltraSam needs it. "
                "Build mmcv with a compiler (MMCV_WITH_OPS=1) to use models that do."
            )

        return refuse


def bridge_mmcv() -> None:
    """Let ``import mmcv.ops`` work without the compiled operators, with PyTorch paths on every device."""
    try:
        importlib.import_module("mmcv._ext")
    except ImportError:
        # mmcv must find the stand-in before it imports its operators.
        stand_in = _MissingOps("mmcv._ext")
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


def init_process_group(launcher: str) -> None:
    """Join the other processes over gloo where there is no GPU.

    mmengine's own start selects a CUDA device; it leaves alone a group that is already there.
    """
    if launcher == "none" or torch.cuda.is_available() or torch.distributed.is_initialized():
        return
    if launcher == "slurm":
        os.environ.setdefault("RANK", os.environ["SLURM_PROCID"])
        os.environ.setdefault("WORLD_SIZE", os.environ["SLURM_NTASKS"])
        os.environ.setdefault("LOCAL_RANK", os.environ.get("SLURM_LOCALID", "0"))
        os.environ.setdefault("MASTER_PORT", "29500")
    torch.distributed.init_process_group(backend="gloo")


# mmdet asks for a second COCO evaluation that nothing here uses.
warnings.filterwarnings("ignore", message="faster_coco_eval is not installed")
bridge_torchvision()
bridge_mmcv()
bridge_mmpretrain()
