"""Scores of instance segmentation for mmengine."""

from __future__ import annotations

from typing import Any

from mmdet.evaluation import CocoMetric
from mmdet.registry import METRICS


@METRICS.register_module()
class InstanceMetric(CocoMetric):
    """COCO's mAP of boxes and masks by class; the truth comes with the data samples.

    Args:
        outfile: write the predictions to ``<outfile>.bbox.json`` and ``<outfile>.segm.json``.
        kwargs: of mmdet's ``CocoMetric``.
    """

    def __init__(self, outfile: str | None = None, **kwargs: Any) -> None:
        outfile = outfile.removesuffix(".json") if outfile else None
        super().__init__(metric=["bbox", "segm"], classwise=True, outfile_prefix=outfile, **kwargs)
