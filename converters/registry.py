"""The data sets by name: one module of `datasets/` each."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from . import datasets
from .engine.errors import ConverterError
from .engine.types import Dataset


@cache
def names() -> tuple[str, ...]:
    """The ids of all data sets, sorted."""
    found = pkgutil.iter_modules(datasets.__path__)
    return tuple(sorted(module.name for module in found if not module.name.startswith("_")))


@cache
def get(name: str) -> Dataset:
    """The data set of this id."""
    if name not in names():
        raise ConverterError(f"unknown data set {name!r}; see: ultrasam convert list")
    module = importlib.import_module(f"{datasets.__name__}.{name}")
    dataset: Dataset = module.DATASET
    return dataset
