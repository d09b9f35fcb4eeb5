"""The mean of the output tokens and one linear layer: classes, several labels, or numbers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ultrasam.downstream.labels import Task
from ultrasam.errors import CheckpointError, ConfigError
from ultrasam.losses import focal_loss


class LinearHead(nn.Module):
    """Features (B, W) -> C scores or values.

    Classes are learned with a sigmoid focal loss each, summed over classes and averaged over images (Meyer et
    al. 2025); numbers with the squared error of their standardized values. The head carries in
    ``description`` what its outputs mean, so that a weight file is enough to use it.

    Args:
        width: W, channels of a feature.
        task: what is predicted.
        names: of the C classes or values.
        preprocessing: how images become input (``img_size``, ``black_padding``), kept for whoever loads it.
    """

    centre: Tensor
    scale: Tensor
    description: Tensor

    def __init__(
        self, width: int, task: Task, names: Sequence[str], preprocessing: dict[str, Any] | None = None
    ) -> None:
        super().__init__()
        if task not in get_args(Task):
            raise ConfigError(f"unknown task '{task}'; choose from {', '.join(get_args(Task))}")
        if not names:
            raise ConfigError("a head needs the names of its classes or values: set 'classes'")
        self.task: Task = task
        self.names = tuple(names)
        self.linear = nn.Linear(width, len(names))
        self.register_buffer("centre", torch.zeros(len(names)))
        self.register_buffer("scale", torch.ones(len(names)))
        about = {"task": task, "names": list(names), **(preprocessing or {})}
        self.register_buffer("description", encode(about))

    def forward(self, features: Tensor) -> Tensor:
        """(B, W) -> (B, C) logits, or standardized values."""
        return self.linear(features)

    def fit_targets(self, targets: Tensor) -> None:
        """Take center and scale of a regression from the training targets (N, C)."""
        if self.task == "regression":
            self.centre.copy_(targets.mean(dim=0))
            self.scale.copy_(targets.std(dim=0, correction=0).clamp(min=1e-6))

    def loss(self, features: Tensor, targets: Tensor) -> Tensor:
        """The mean loss of features (B, W) with targets (B, C)."""
        outputs = self(features).float()
        if self.task == "regression":
            return F.mse_loss(outputs, (targets - self.centre) / self.scale)
        return focal(outputs, targets)

    def predict(self, features: Tensor) -> Tensor:
        """(B, W) -> (B, C) scores in 0..1, or values in their own unit."""
        outputs = self(features).float()
        return outputs * self.scale + self.centre if self.task == "regression" else outputs.sigmoid()


def focal(logits: Tensor, targets: Tensor) -> Tensor:
    """Sigmoid focal loss of (B, C) logits and 0/1 targets: summed over classes, averaged over images."""
    return focal_loss(logits[..., None, None], targets[..., None, None]).sum(dim=1).mean()


def encode(about: dict[str, Any]) -> Tensor:
    """A small record as uint8 tensor, which every weight file can hold and nothing executes."""
    return torch.tensor(list(json.dumps(about).encode()), dtype=torch.uint8)


def decode(description: Tensor) -> dict[str, Any]:
    """The inverse of `encode`.

    Raises:
        CheckpointError: it is no such record.
    """
    try:
        about = json.loads(bytes(description.tolist()))
        return {**about, "task": about["task"], "names": list(about["names"])}
    except (ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"the file's description of its head is damaged: {error}") from error
