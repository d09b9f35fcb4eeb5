"""Single modules of other tools' packages, without what else these packages need."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest


def label_studio_brush() -> ModuleType:
    """``label_studio_sdk.converter.brush``, without its package; skips where that is missing."""
    spec = importlib.util.find_spec("label_studio_sdk")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("label-studio-sdk is not installed (pip install --no-deps label-studio-sdk)")
    return brush_of(Path(spec.submodule_search_locations[0]))


def brush_of(package: Path) -> ModuleType:
    """``converter.brush`` of a ``label_studio_sdk`` in this folder."""
    spec = importlib.util.spec_from_file_location("label_studio_brush", package / "converter" / "brush.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
