"""UltraSam: promptable segmentation for ultrasound.

Names are imported on first use, so ``import ultrasam`` costs nothing and the command line starts fast. The
packages below it can be used after ``import ultrasam`` alone too: ``ultrasam.checkpoints.convert(...)``.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from ultrasam.machine.old_names import MOVED, find_old_modules

if TYPE_CHECKING:
    from ultrasam import (
        checkpoints,
        data,
        downstream,
        evaluate,
        export,
        machine,
        modeling,
        predict,
        prompts,
        report,
    )
    from ultrasam.checkpoints import load
    from ultrasam.downstream.encoder import load_encoder
    from ultrasam.errors import UltraSamError
    from ultrasam.modeling.build import build_ultrasam
    from ultrasam.modeling.sam import Sam
    from ultrasam.predict.files.video_predictor import VideoPredictor
    from ultrasam.predict.object_prompt import ObjectPrompt
    from ultrasam.predict.predictor import Predictor
    from ultrasam.prompts.refine import Refinement
    from ultrasam.types import Prediction, Prompts

__version__ = "0.1.0"
__all__ = [
    "ObjectPrompt",
    "Prediction",
    "Predictor",
    "Prompts",
    "Refinement",
    "Sam",
    "UltraSamError",
    "VideoPredictor",
    "__version__",
    "build_ultrasam",
    "checkpoints",
    "data",
    "downstream",
    "evaluate",
    "export",
    "load",
    "load_encoder",
    "machine",
    "modeling",
    "predict",
    "prompts",
    "report",
]

_HOME = {
    "ObjectPrompt": "ultrasam.predict.object_prompt",
    "Prediction": "ultrasam.types",
    "Predictor": "ultrasam.predict.predictor",
    "Prompts": "ultrasam.types",
    "Refinement": "ultrasam.prompts.refine",
    "Sam": "ultrasam.modeling.sam",
    "UltraSamError": "ultrasam.errors",
    "VideoPredictor": "ultrasam.predict.files.video_predictor",
    "build_ultrasam": "ultrasam.modeling.build",
    "load": "ultrasam.checkpoints",
    "load_encoder": "ultrasam.downstream.encoder",
}

if not TYPE_CHECKING:  # a type checker would take any name for one that exists

    def __getattr__(name: str) -> object:
        if name in _HOME:
            return getattr(importlib.import_module(_HOME[name]), name)
        if name in __all__ or name in MOVED:
            return importlib.import_module(f"ultrasam.{name}")
        raise AttributeError(f"module 'ultrasam' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)


find_old_modules()
