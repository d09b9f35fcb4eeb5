"""Whole images with classes or numbers, as mmengine's data set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmdet.registry import DATASETS, TRANSFORMS
from mmdet.structures import DetDataSample
from mmengine.dataset import BaseDataset
from mmengine.logging import print_log
from mmengine.structures import InstanceData

from ultrasam.downstream.labels import Task, read_labels
from ultrasam.mm.datasets.tickets import Tickets


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
        seed: of flips; None for the sampler's.
        kwargs: of mmengine's ``BaseDataset`` (``ann_file``, ``data_root``, ``data_prefix``, ``test_mode``); a
            ``pipeline`` is left to MMDetection's inference tools, which look for it in the configuration.
    """

    def __init__(
        self,
        *,
        img_size: int,
        classes: Sequence[str],
        task: Task = "single-label",
        column: str | None = None,
        clip: str = "clip",
        limits: tuple[float, float] | None = None,
        flip: float = 0.5,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        self.seed = seed
        self.options: dict[str, Any] = {"task": task, "column": column, "clip": clip, "limits": limits}
        kwargs["pipeline"] = [
            {"type": "LoadImage"},
            *([] if kwargs.get("test_mode") else [{"type": "Flip", "probability": flip}]),
            {"type": "FitInput", "img_size": img_size},
            {"type": "PackLabels", "classes": classes, "task": task},
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
    def metainfo(self) -> dict[str, Any]:
        """``classes`` and ``task``, for metrics and pictures."""
        return {**super().metainfo, "task": self.options["task"]}

    @property
    def targets(self) -> np.ndarray:
        """(N, C) float32."""
        return np.stack([self.get_data_info(i)["target"] for i in range(len(self))])


def caption(task: Task, names: Sequence[str], target: np.ndarray) -> str:
    """A target (C,) in words."""
    if task == "regression":
        return ", ".join(f"{name} {value:.3g}" for name, value in zip(names, target.tolist(), strict=True))
    return ", ".join(name for name, value in zip(names, target.tolist(), strict=True) if value > 0.5)


@TRANSFORMS.register_module()
class PackLabels(BaseTransform):
    """Pack for the model: ``inputs`` (3, h, w) uint8 and the target (C,).

    In training ``gt_instances`` frame the image and say its label, for MMDetection to draw.

    Args:
        classes: names of the classes or numbers.
        task: what they are.
    """

    def __init__(self, classes: Sequence[str], task: Task) -> None:
        self.classes = classes
        self.task = task

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Pack one sample."""
        height, width = results["img"].shape[:2]
        names = ("img_id", "img_path", "clip", "ori_shape")
        sample = DetDataSample(metainfo={name: results[name] for name in names})
        sample.set_metainfo({"img_shape": (height, width)})
        sample.target = torch.from_numpy(np.array(results["target"]))
        if "rng" in results:
            frame = np.array([[0, 0, width, height]], np.float32)
            text = caption(self.task, self.classes, results["target"])
            sample.gt_instances = InstanceData(bboxes=frame, labels=np.zeros(1, int), label_names=[text])
        image = np.ascontiguousarray(results["img"].transpose(2, 0, 1))
        return {"inputs": torch.from_numpy(image), "data_samples": sample}
