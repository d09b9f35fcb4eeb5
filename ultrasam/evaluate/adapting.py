"""Foreign models in our evaluation: two methods, named by module and name."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from ultrasam.errors import ConfigError
from ultrasam.evaluate.prompting import Segmenter


def adapted(where: str, checkpoint: str, options: Mapping[str, Any]) -> Segmenter:
    """Make a foreign model.

    Args:
        where: ``module:name`` of what makes it, importable from where Python looks.
        checkpoint: its first argument.
        options: its keyword arguments.

    Raises:
        ConfigError: there is no such module or name, it takes no such argument, or what it makes lacks one of
            the two methods.
    """
    module, _, name = where.partition(":")
    try:
        make = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(
            f"--adapter takes module:name of what makes a foreign model, and {where!r} can't be had: {error}"
        ) from error
    try:
        made = make(checkpoint, **options)
    except TypeError as error:
        raise ConfigError(f"{where} makes no model of {checkpoint!r}: {error}") from error
    missing = [method for method in ("set_image", "segment") if not callable(getattr(made, method, None))]
    if missing:
        raise ConfigError(
            f"what {where} makes has no method {missing[0]!r}: see evaluate.prompting.Segmenter"
        )
    return made
