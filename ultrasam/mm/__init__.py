"""The MMDetection side: importing this registers everything a configuration names.

The only folder that imports mmengine, mmcv, mmdet or mmpretrain. It is sorted as MMDetection is.
"""

from __future__ import annotations

import warnings
from typing import Any

from ultrasam.mm import compat  # noqa: F401  first: it lets the rest import
from ultrasam.mm.datasets import (
    augment,
    instance_dataset,
    label_dataset,
    prompt_dataset,
    sharded_dataset,
    tickets,
    transforms,
)
from ultrasam.mm.engine import divergence, hooks, optim, pictures, resuming, saving, trackers
from ultrasam.mm.evaluation import instance_metric, label_metric, prompt_metric
from ultrasam.mm.models import backbone, detector, image_task, preprocessor, segmenter

_REGISTERING = (
    *(augment, instance_dataset, label_dataset, prompt_dataset, sharded_dataset, tickets, transforms),
    *(divergence, hooks, optim, pictures, resuming, saving, trackers),
    *(instance_metric, label_metric, prompt_metric),
    *(backbone, detector, image_task, preprocessor, segmenter),
)


def __getattr__(name: str) -> Any:
    """What stood here in 0.1, from the module it is in."""
    for module in _REGISTERING:
        found = getattr(module, name, None)
        if getattr(found, "__module__", None) == module.__name__:
            text = f"'{name}' is in {module.__name__}; ultrasam.mm.{name} goes away in 0.3"
            warnings.warn(text, DeprecationWarning, stacklevel=2)
            return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
