"""Whole images with classes or numbers, as mmengine's data set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmdet.registry import DATASETS, TRANSFORMS
from mmengine.dataset import BaseDataset
from mmengine.logging import print_log
from mmengine.structures import BaseDataElement

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
            {"type": "LoadImage"},
            *([] if kwargs.get("test_mode") else [{"type": "Flip", "probability": flip}]),
            {"type": "FitInput", "img_size": img_size},
            {"type": "PackLabels"},
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
class PackLabels(BaseTransform):
    """Pack for the model: ``inputs`` (3, h, w) uint8 and the target (C,)."""

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Pack one sample."""
        names = ("img_id", "img_path", "clip")
        sample = BaseDataElement(metainfo={name: results[name] for name in names})
        sample.target = torch.from_numpy(np.array(results["target"]))
        image = np.ascontiguousarray(results["img"].transpose(2, 0, 1))
        return {"inputs": torch.from_numpy(image), "data_samples": sample}
