"""The fields of `Variant` as version 0.1 called them: they work for one version more, with a warning."""

from __future__ import annotations

import warnings
from dataclasses import asdict
from functools import wraps
from typing import Any, TypeVar

T = TypeVar("T")
NEW_NAMES = {
    "width": "embed_dim",
    "heads": "num_heads",
    "global_blocks": "global_attn_indexes",
    "window": "window_size",
    "channels": "out_chans",
}


def takes_old_names(cls: type[T]) -> type[T]:
    """Let a dataclass be made and read by its old field names."""
    init = cls.__init__

    @wraps(init)
    def renaming_init(self: T, *args: Any, **fields: Any) -> None:
        for old in NEW_NAMES.keys() & fields.keys():
            fields[_new_name(old)] = fields.pop(old)
        init(self, *args, **fields)

    def old_attribute(self: T, name: str) -> Any:
        if name not in NEW_NAMES:
            raise AttributeError(f"{cls.__name__} has no '{name}'")
        return getattr(self, _new_name(name))

    for name, method in (("__init__", renaming_init), ("__getattr__", old_attribute)):
        setattr(cls, name, method)
    return cls


def as_written(spec: Any) -> dict[str, Any]:
    """A `Variant`'s numbers for a file beside weights, which keeps the names that it had first."""
    old_names = {new: old for old, new in NEW_NAMES.items()}
    return {old_names.get(name, name): value for name, value in asdict(spec).items()}


def _new_name(old: str) -> str:
    warnings.warn(f"'{old}' is called '{NEW_NAMES[old]}' now", DeprecationWarning, stacklevel=3)
    return NEW_NAMES[old]
