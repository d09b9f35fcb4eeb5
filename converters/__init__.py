"""US-43d: raw public ultrasound archives to COCO.

Names are imported on first use: whoever needs a leaf of the engine alone (run lengths, the split by subject)
does not import the readers of archives.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOME = {
    "Card": "engine.types",
    "Case": "engine.types",
    "Category": "engine.types",
    "ConverterError": "engine.errors",
    "Dataset": "engine.types",
    "Frame": "engine.types",
    "Instances": "engine.types",
    "Object": "engine.types",
    "Problem": "engine.coco_parsed",
    "Report": "engine.run",
    "Skip": "engine.types",
    "check": "engine.validate",
    "convert": "engine.run",
    "get": "registry",
    "names": "registry",
}
__all__ = [*_HOME]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
