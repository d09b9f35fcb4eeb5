"""Weight files of every ecosystem: read safely, named as in Segment Anything, loaded strictly, written back.

The network carries Meta's parameter names, so ``sam_vit_*.pth`` and ``medsam_vit_b.pth`` need no mapping; the
names of others are known in this folder and nowhere else. Names are imported on first use: most need PyTorch,
and where weights lie is asked without it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ultrasam.checkpoints.detection import describe, detect
    from ultrasam.checkpoints.download import fetch, resolve
    from ultrasam.checkpoints.formats import named_as_sam
    from ultrasam.checkpoints.loading import (
        LoadReport,
        load,
        load_file_into,
        load_into,
        load_start,
        load_with_report,
    )
    from ultrasam.checkpoints.published import from_published, is_published, to_published
    from ultrasam.checkpoints.reading import read
    from ultrasam.checkpoints.writing import TARGETS, convert, save

_HOME = {
    "detection": ("describe", "detect"),
    "download": ("fetch", "resolve"),
    "formats": ("named_as_sam",),
    "loading": ("LoadReport", "load", "load_file_into", "load_into", "load_start", "load_with_report"),
    "published": ("from_published", "is_published", "to_published"),
    "reading": ("read",),
    "writing": ("TARGETS", "convert", "save"),
}
__all__ = [
    "TARGETS",
    "LoadReport",
    "convert",
    "describe",
    "detect",
    "fetch",
    "from_published",
    "is_published",
    "load",
    "load_file_into",
    "load_into",
    "load_start",
    "load_with_report",
    "named_as_sam",
    "read",
    "resolve",
    "save",
    "to_published",
]

if not TYPE_CHECKING:  # a type checker would take any name for one that exists

    def __getattr__(name: str) -> object:
        for module, names in _HOME.items():
            if name in names:
                return getattr(importlib.import_module(f"ultrasam.checkpoints.{module}"), name)
        raise AttributeError(f"module 'ultrasam.checkpoints' has no attribute '{name}'")
