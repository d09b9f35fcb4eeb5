"""Classes and numbers of whole images: data set, model and scores for mmengine."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmdet.registry import DATASETS, HOOKS, METRICS, MODELS, TRANSFORMS
from mmengine.dataset import BaseDataset
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.model import BaseModel, is_model_wrapper
from mmengine.runner import Runner
from mmengine.structures import BaseDataElement
from torch import Tensor

from ultrasam import checkpoints
from ultrasam.checkpoints.loading import load_into
from ultrasam.downstream import metrics
from ultrasam.downstream.labels import Task, read_labels
from ultrasam.downstream.linear import LinearHead, decode
from ultrasam.errors import CheckpointError, DataError
from ultrasam.images import read_image
from ultrasam.mm.dataset import Tickets
from ultrasam.preprocess import Geometry, resize_image


@DATASETS.register_module()
class LabelDataset(Tickets, BaseDataset):
    """Images with labels or numbers from a COCO file or a table; see `ultrasam.downstream.read_labels`.

    Args:
        img_size: S, side of the network's square input in pixels.
        task: ``single-label``, ``multi-label`` or ``regression``.
        classes: classes in their order, or the columns of the numbers.
        column: where a label stands; None takes COCO's categories, or the column ``labels``.
        clip: column or field that joins the frames of a clip.
        limits: lowest and highest number that can be true.
        flip: probability of a horizontal flip in training.
        seed: of flips.
        kwargs: of mmengine's ``BaseDataset`` (``ann_file``, ``data_root``, ``data_prefix``, ``test_mode``).
    """

    def __init__(
        self,
        *,
        img_size: int,
        task: Task,
        classes: Sequence[str],
        column: str | None = None,
        clip: str = "clip",
        limits: tuple[float, float] | None = None,
        flip: float = 0.5,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        self.seed = seed
        self.options: dict[str, Any] = {"task": task, "column": column, "clip": clip, "limits": limits}
        kwargs["pipeline"] = [
            {"type": "LoadPixels"},
            *([] if kwargs.get("test_mode") else [{"type": "FlipPixels", "probability": flip}]),
            {"type": "PackLabels", "img_size": img_size},
        ]
        super().__init__(metainfo={"classes": tuple(classes)}, **kwargs)

    def load_data_list(self) -> list[dict[str, Any]]:
        """Read and check the labels; say in the log what is used and what is left out."""
        folder = self.data_prefix.get("img") or "."
        table = read_labels(self.ann_file, folder, names=self.metainfo["classes"], **self.options)
        print_log(table.summary(), logger="current")
        if not self.test_mode:
            table.check_trainable()
        elif table.empty_classes():
            print_log(
                f"{self.ann_file} has no image of {', '.join(table.empty_classes())}: the averages leave out "
                "a class that is neither there nor predicted",
                logger="current",
            )
        return [
            {"img_id": s.id, "img_path": str(s.path), "clip": s.clip, "target": s.target}
            for s in table.samples
        ]

    @property
    def targets(self) -> np.ndarray:
        """(N, C) float32."""
        return np.stack([self.get_data_info(i)["target"] for i in range(len(self))])


@TRANSFORMS.register_module()
class LoadPixels(BaseTransform):
    """Read the image file: ``img`` becomes (H, W, 3) uint8 RGB."""

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Read it."""
        results["img"] = read_image(results["img_path"])
        return results


@TRANSFORMS.register_module()
class FlipPixels(BaseTransform):
    """Mirror the image left to right.

    Args:
        probability: of a flip.
    """

    def __init__(self, probability: float = 0.5) -> None:
        self.probability = probability

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Flip, or not."""
        if results["rng"].random() < self.probability:
            results["img"] = np.ascontiguousarray(results["img"][:, ::-1])
        return results


@TRANSFORMS.register_module()
class PackLabels(BaseTransform):
    """Resize and pack: ``inputs`` (3, h, w) uint8 and the target (C,).

    Args:
        img_size: S, side of the network's input.
    """

    def __init__(self, img_size: int) -> None:
        self.img_size = img_size

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Pack one sample."""
        height, width = results["img"].shape[:2]
        geometry = Geometry.of(height, width, self.img_size)
        image = resize_image(results["img"], geometry).transpose(2, 0, 1)
        names = ("img_id", "img_path", "clip")
        sample = BaseDataElement(metainfo={name: results[name] for name in names})
        sample.target = torch.from_numpy(np.array(results["target"]))
        return {"inputs": torch.from_numpy(np.ascontiguousarray(image)), "data_samples": sample}


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
        self.backbone = MODELS.build(backbone)
        preprocessing = {k: v for k, v in data_preprocessor.items() if k != "type"}
        self.head = LinearHead(self.backbone.width, task, classes, preprocessing)

    def load_weights(self, path: str, fold_residual: bool | None = None) -> None:
        """Load a checkpoint of this model, strictly; ``fold_residual`` means nothing here.

        Raises:
            CheckpointError: it is of another model, task or list of classes.
        """
        state = checkpoints.read(path)
        if "head.description" not in state:
            raise CheckpointError(f"{path} is no classifier: it has no 'head.description'")
        theirs, ours = decode(state["head.description"]), decode(self.head.description)
        for key in ("task", "names"):
            if theirs[key] != ours[key]:
                raise CheckpointError(
                    f"{path} has the {key} {theirs[key]}, the configuration {ours[key]}; "
                    "give the configuration the checkpoint's"
                )
        state["head.description"] = self.head.description
        print_log(str(load_into(self, state, "classifier", str(path))), logger="current")

    def forward(
        self, inputs: Tensor, data_samples: Sequence[BaseDataElement] | None = None, mode: str = "tensor"
    ) -> Any:
        """``loss``: the losses; ``predict``: data samples with ``scores``; else (B, C) outputs."""
        features = self.backbone(inputs)[-1].mean(dim=(2, 3))
        if mode == "tensor":
            return self.head(features)
        assert data_samples is not None
        if mode == "loss":
            targets = torch.stack([sample.target for sample in data_samples])
            return {"loss": self.head.loss(features, targets)}
        for sample, scores in zip(data_samples, self.head.predict(features), strict=True):
            sample.scores = scores
        return data_samples


@HOOKS.register_module()
class FitTargetsHook(Hook):
    """Before training, tell the head about the training targets (a regression's centre and scale)."""

    def before_train(self, runner: Runner) -> None:
        """Tell it."""
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        model.head.fit_targets(torch.from_numpy(runner.train_dataloader.dataset.targets))


@METRICS.register_module()
class LabelMetric(BaseMetric):
    """Scores of classes or numbers, by image or by clip; see `ultrasam.downstream.metrics`.

    Args:
        task: what was predicted.
        level: ``image``, or ``clip`` for the mean over a clip's frames.
        outfile: write truth and predictions to this JSON file.
        kwargs: of mmengine's ``BaseMetric``.
    """

    default_prefix = "label"

    def __init__(self, task: Task, level: str = "image", outfile: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.task = task
        self.level = level
        self.outfile = outfile

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:
        """Keep what a batch's scores need."""
        for sample in data_samples:
            row = {k: sample[k] for k in ("img_id", "img_path", "clip")}
            arrays = {k: sample[k].float().cpu().numpy() for k in ("target", "scores")}
            self.results.append({**row, **arrays})

    def compute_metrics(self, results: list[dict[str, Any]]) -> dict[str, float]:
        """Scores of all images, each counted once."""
        unique = list({row["img_id"]: row for row in results}.values())
        if not unique:
            raise DataError("nothing was predicted, so there is nothing to score: is the test set empty?")
        names, task = self.dataset_meta["classes"], self.task
        truth, scores = (np.stack([row[k] for row in unique]) for k in ("target", "scores"))
        samples = [row["img_path"] for row in unique]
        if self.level == "clip":
            samples, truth, scores = metrics.by_clip([row["clip"] for row in unique], truth, scores)
        if task == "single-label":
            print_log("\n" + metrics.table(metrics.confusion(truth, scores), names), logger="current")
        if self.outfile:
            rows = zip(samples, truth.tolist(), scores.tolist(), strict=True)
            content = {
                "task": task,
                "names": list(names),
                "predictions": [{self.level: s, "truth": t, "scores": p} for s, t, p in rows],
            }
            Path(self.outfile).parent.mkdir(parents=True, exist_ok=True)
            Path(self.outfile).write_text(json.dumps(content))
        return metrics.score(task, truth, scores, names)
