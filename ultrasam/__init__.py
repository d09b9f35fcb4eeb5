"""UltraSam: promptable segmentation for ultrasound.

Names are imported on first use, so ``import ultrasam`` costs nothing and the command line starts fast.
"""

from __future__ import annotations

import importlib
from typing import Any

from ultrasam.machine.old_names import find_old_modules

__version__ = "0.1.0"

_HOME = {
    "build_ultrasam": "ultrasam.modeling.build",
    "load": "ultrasam.checkpoints",
    "load_encoder": "ultrasam.downstream.encoder",
    "Predictor": "ultrasam.predict.predictor",
    "ObjectPrompt": "ultrasam.predict.object_prompt",
    "Sam": "ultrasam.modeling.sam",
    "Prompts": "ultrasam.types",
    "Prediction": "ultrasam.types",
    "UltraSamError": "ultrasam.errors",
}
__all__ = [*_HOME, "__version__"]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name]), name)
    raise AttributeError(f"module 'ultrasam' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)


find_old_modules()
