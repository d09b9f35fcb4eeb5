"""Which parameters a model trains: all, or a few that are put on a frozen image encoder."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from ultrasam.errors import ConfigError
from ultrasam.modeling.adapt.adapter import add_adapters
from ultrasam.modeling.adapt.lora import add_lora
from ultrasam.modeling.image_encoder import ImageEncoderViT

_KINDS: dict[str, Callable[..., None]] = {"lora": add_lora, "adapter": add_adapters}


def adapt(model: nn.Module, type: str, **options: Any) -> None:
    """Put parameter-efficient parts on a built encoder whose weights are loaded; the rest is frozen.

    Args:
        model: an image encoder, or what holds one: a promptable model, an `Encoder`, a classifier.
        type: ``lora`` or ``adapter``.
        options: of `add_lora` (``rank``, ``alpha``, ``dropout``, ``parts``) or `add_adapters` (``hidden``).

    Raises:
        ConfigError: an unknown type or option, or no image encoder.
    """
    if type not in _KINDS:
        raise ConfigError(f"an encoder is adapted by {' or '.join(_KINDS)}, not {type!r}")
    encoder = next((part for part in model.modules() if isinstance(part, ImageEncoderViT)), None)
    if encoder is None:
        raise ConfigError(
            f"a {model.__class__.__name__} holds no image encoder that is a ViT; a TinyViT is trained "
            "whole (full) or left as it is (decoder)"
        )
    try:
        _KINDS[type](encoder, **options)
    except TypeError as error:
        raise ConfigError(f"adapt={{'type': '{type}', ...}}: {error}") from error


def trained_parameters(model: nn.Module) -> str:
    """How many parameters are trained, as a line to print."""
    total = sum(p.numel() for p in model.parameters())
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    return f"{trained:,} of {total:,} parameters are trained ({100 * trained / max(total, 1):.1f} %)"
