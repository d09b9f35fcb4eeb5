"""Hooks: pictures of prompts and masks, exact restarts, peak memory."""

from __future__ import annotations

import resource
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmdet.registry import HOOKS
from mmdet.structures import DetDataSample
from mmengine.dist import get_rank, get_world_size
from mmengine.hooks import Hook, LoggerHook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from ultrasam.data import coco
from ultrasam.data.images import read_image, write_image
from ultrasam.evaluate.metrics import rle_iou
from ultrasam.report.draw import overlay


@HOOKS.register_module()
class PromptVisualizationHook(Hook):
    """Draw prompts, predicted masks and true outlines of the first test or validation images.

    Args:
        limit: images drawn of each evaluation.
        show_dir: where test pictures go; None draws none in testing.
        validation: draw in validation too, to the work directory's ``vis_data`` and TensorBoard.
    """

    def __init__(self, limit: int = 50, show_dir: str | None = None, validation: bool = True) -> None:
        self.limit = limit
        self.show_dir = show_dir
        self.validation = validation
        self._drawn = 0

    def before_val_epoch(self, runner: Runner) -> None:
        """Start counting anew."""
        self._drawn = 0

    def before_test_epoch(self, runner: Runner) -> None:
        """Start counting anew."""
        self._drawn = 0

    def after_val_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Sequence[DetDataSample] | None = None,
    ) -> None:
        """Show a few validation images in TensorBoard and the work directory."""
        for sample in outputs or ():
            if self.validation and get_rank() == 0 and self._drawn < min(self.limit, 8):
                self._drawn += 1
                runner.visualizer.add_image(f"val/{sample.img_id}", self.draw(sample), step=runner.iter)

    def after_test_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Sequence[DetDataSample] | None = None,
    ) -> None:
        """Write test images to ``show_dir``."""
        for sample in outputs or ():
            if self.show_dir and self._drawn < self.limit:
                self._drawn += 1
                name = f"{sample.img_id}_{Path(sample.img_path).stem}.png"
                write_image(Path(self.show_dir) / name, self.draw(sample))

    def draw(self, sample: DetDataSample) -> np.ndarray:
        """The picture of a data sample, RGB uint8; other tasks draw other things."""
        return draw_sample(sample)


def draw_sample(sample: DetDataSample) -> np.ndarray:
    """A data sample's prompts, prediction and truth on its image, RGB uint8."""
    size, geometry = sample.ori_shape, sample.geometry
    found, truth, prompts = sample.pred_instances, sample.gt_instances, sample.prompts
    points = [
        geometry.to_original(p[0].cpu().numpy()) if label[0] == 1 else None
        for p, label in zip(prompts.points, prompts.labels, strict=True)
    ]
    boxes = [None if b.isnan().any() else geometry.to_original(b.cpu().numpy()) for b in prompts.boxes]
    iou = rle_iou(found.masks, truth.masks)
    return overlay(
        read_image(sample.img_path),
        [coco.decode(m, size, "prediction") for m in found.masks],
        targets=[coco.decode(m, size, "truth") for m in truth.masks],
        points=points,
        boxes=boxes,
        captions=[f"IoU {i:.2f}, predicted {float(s):.2f}" for i, s in zip(iou, found.scores, strict=True)],
    )


@HOOKS.register_module()
class MainLoggerHook(LoggerHook):
    """mmengine's logger, whose file of test scores all processes write at once, from one process alone."""

    def after_test_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Log and write the test's scores."""
        if get_rank() == 0:
            super().after_test_epoch(runner, metrics)


@HOOKS.register_module()
class StepSeedHook(Hook):
    """Seed torch anew at every training step, so that a resumed run drops out the same activations.

    Args:
        seed: together with the step and the process it gives the step's seed.
    """

    priority = "VERY_HIGH"

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Seed the step."""
        seed = self.seed + runner.iter * get_world_size() + get_rank()
        # Not torch.manual_seed: without a GPU that queues one more call for a start of CUDA at every step.
        torch.random.default_generator.manual_seed(seed)
        if torch.cuda.is_available():
            torch.cuda.manual_seed(seed)


@HOOKS.register_module()
class PeakMemoryHook(Hook):
    """Log the most memory that training took."""

    def after_train(self, runner: Runner) -> None:
        """Say it, on the GPU where there is one, else of the process."""
        if torch.cuda.is_available():
            runner.logger.info(f"peak GPU memory: {torch.cuda.max_memory_allocated() / 2**30:.2f} GiB")
            return
        unit = 1 if sys.platform == "darwin" else 1024  # macOS counts bytes, Linux KiB
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
        runner.logger.info(f"peak memory of the process: {peak / 2**30:.2f} GiB")


@HOOKS.register_module()
class FitTargetsHook(Hook):
    """Before training, tell the head about the training targets (a regression's centre and scale)."""

    def before_train(self, runner: Runner) -> None:
        """Tell it."""
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        model.head.fit_targets(torch.from_numpy(runner.train_dataloader.dataset.targets))
