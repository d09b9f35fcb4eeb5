"""Hooks: pictures of prompts and masks, exact restarts, peak memory."""

from __future__ import annotations

import resource
import sys
from collections.abc import Mapping, Sequence
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
from ultrasam.data.shards.stored_pixels import restore
from ultrasam.evaluate.metrics import rle_iou
from ultrasam.mm.evaluation.prompt_metric import as_rle
from ultrasam.report.draw import overlay


@HOOKS.register_module()
class PromptVisualizationHook(Hook):
    """Draw prompts, predicted masks and true outlines of the first test or validation images.

    Arguments that MMDetection's ``DetVisualizationHook`` has too mean the same here.

    Args:
        draw: False draws nothing, in validation neither (there it is to ``vis_data`` and TensorBoard).
        limit: images drawn of each evaluation.
        test_out_dir: where test pictures go, from the test's own folder in the work directory; None writes
            none.
        show: show test pictures in a window.
        wait_time: for so many seconds each.
    """

    def __init__(
        self,
        draw: bool = True,
        limit: int = 50,
        test_out_dir: str | None = None,
        show: bool = False,
        wait_time: float = 0.0,
    ) -> None:
        self.limit = limit if draw else 0
        self.test_out_dir = test_out_dir
        self.show = show
        self.wait_time = wait_time
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
            if get_rank() == 0 and self._drawn < min(self.limit, 8):
                self._drawn += 1
                picture = self.picture(sample, runner.visualizer.dataset_meta)
                runner.visualizer.add_image(f"val/{sample.img_id}", picture, step=runner.iter)

    def after_test_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Sequence[DetDataSample] | None = None,
    ) -> None:
        """Write test images to ``test_out_dir``, and show them."""
        for sample in outputs or ():
            if (self.test_out_dir or self.show) and self._drawn < self.limit:
                self._drawn += 1
                name = f"{sample.img_id}_{Path(sample.img_path).stem}.png"
                picture = self.picture(sample, runner.visualizer.dataset_meta)
                if self.test_out_dir:
                    folder = Path(runner.work_dir, runner.timestamp, self.test_out_dir)
                    write_image(folder / name, picture)
                if self.show:
                    runner.visualizer.show(picture, win_name=name, wait_time=self.wait_time)

    def picture(self, sample: DetDataSample, meta: Mapping[str, Any]) -> np.ndarray:
        """The picture of a data sample, RGB uint8; other tasks draw other things.

        Args:
            sample: with its prediction.
            meta: the data set's ``metainfo``.
        """
        return draw_sample(sample)


def _image_of(sample: DetDataSample) -> np.ndarray:
    """The image of a data sample, (H, W, 3) uint8 RGB, from its file or from what a shard holds of it."""
    stored = sample.get("stored")
    if stored is None:
        return read_image(sample.img_path)
    return restore(stored.ending, stored.pixels, sample.ori_shape, stored.where)


def draw_sample(sample: DetDataSample) -> np.ndarray:
    """A data sample's prompts, prediction and truth on its image, RGB uint8."""
    size, geometry = sample.ori_shape, sample.geometry
    found, prompts = sample.pred_instances, sample.prompts
    truth = [entry["mask"] for entry in sample.instances]
    points = [
        geometry.to_original(p[0].cpu().numpy()) if label[0] == 1 else None
        for p, label in zip(prompts.points, prompts.labels, strict=True)
    ]
    boxes = [None if b.isnan().any() else geometry.to_original(b.cpu().numpy()) for b in prompts.boxes]
    iou = rle_iou(as_rle(found.masks), truth)
    return overlay(
        _image_of(sample),
        list(found.masks.cpu().numpy()),
        targets=[coco.decode(mask, size, "truth") for mask in truth],
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
        seed: together with the step and the process it gives the step's seed; None for the run's.
    """

    priority = "VERY_HIGH"

    def __init__(self, seed: int | None = None) -> None:
        self.seed = seed

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Seed the step."""
        seed = (runner.seed if self.seed is None else self.seed) + runner.iter * get_world_size() + get_rank()
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
    """Before training, tell the head about the training targets (a regression's center and scale)."""

    def before_train(self, runner: Runner) -> None:
        """Tell it."""
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        model.head.fit_targets(torch.from_numpy(runner.train_dataloader.dataset.targets))
