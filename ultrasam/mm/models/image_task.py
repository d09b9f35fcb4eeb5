"""Classes or numbers of whole images: a backbone and a linear layer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.logging import print_log
from mmengine.model import BaseModel
from mmengine.structures import InstanceData
from torch import Tensor

from ultrasam.checkpoints.loading import load_into
from ultrasam.checkpoints.reading import errors_name
from ultrasam.downstream.labels import Task
from ultrasam.downstream.linear import LinearHead, decode
from ultrasam.downstream.model import read_image_model
from ultrasam.errors import CheckpointError, ConfigError


@MODELS.register_module()
class ImageTask(BaseModel):
    """The mean of a backbone's output tokens and a linear layer.

    Args:
        backbone: its last map is averaged.
        task: what is predicted.
        classes: names of the classes or numbers.
        data_preprocessor: configuration of `PromptDataPreprocessor`.
    """

    def __init__(
        self,
        backbone: dict[str, Any],
        task: Task,
        classes: Sequence[str],
        data_preprocessor: dict[str, Any],
    ) -> None:
        super().__init__(data_preprocessor=data_preprocessor)
        if not classes:
            raise ConfigError("the model has no classes (for a regression, the numbers' columns) to predict")
        self.backbone = MODELS.build(backbone)
        preprocessing = {k: v for k, v in data_preprocessor.items() if k != "type"}
        self.head = LinearHead(self.backbone.width, task, classes, preprocessing)

    def load_weights(self, path: str, fold_residual: bool | None = None) -> None:
        """Load a checkpoint of this model, strictly; ``fold_residual`` means nothing here.

        Raises:
            CheckpointError: it is of another model, task or list of classes.
        """
        state, theirs = read_image_model(path)
        ours = decode(self.head.description)
        for key in ("task", "names"):
            if theirs[key] != ours[key]:
                raise CheckpointError(
                    f"{path} has the {key} {theirs[key]}, the configuration {ours[key]}; "
                    "give the configuration the checkpoint's"
                )
        state["head.description"] = self.head.description
        with errors_name(Path(path)):
            report = load_into(self, state, "classifier", str(path))
        print_log(str(report), logger="current")

    def forward(
        self, inputs: Tensor, data_samples: Sequence[DetDataSample] | None = None, mode: str = "tensor"
    ) -> Any:
        """``loss``: the losses; ``predict``: data samples with ``scores`` (C,); else (B, C) outputs."""
        features = self.backbone(inputs)[-1].mean(dim=(2, 3))
        if mode == "tensor":
            return self.head(features)
        assert data_samples is not None
        if mode == "loss":
            targets = torch.stack([sample.target for sample in data_samples])
            return {"loss": self.head.loss(features, targets)}
        for sample, scores in zip(data_samples, self.head.predict(features), strict=True):
            sample.scores = scores
            # As MMDetection's inference tools look for them: every class with its score.
            sample.pred_instances = InstanceData(labels=torch.arange(len(scores)), scores=scores)
        return data_samples
