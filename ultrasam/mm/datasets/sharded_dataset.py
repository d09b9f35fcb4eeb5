"""Prompted objects from shards: the samples of `PromptDataset`, from few large files or object storage."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform
from mmdet.registry import DATASETS, TRANSFORMS
from mmengine.logging import print_log
from numpy.typing import NDArray

from ultrasam.data.shards.shard_reading import ShardStores, StoredSample
from ultrasam.data.shards.stored_pixels import restore
from ultrasam.mm.datasets.prompt_dataset import PromptDataset
from ultrasam.mm.datasets.transforms import instance


@DATASETS.register_module()
class ShardedPromptDataset(PromptDataset):
    """Shards that ``ultrasam data export --to webdataset`` wrote of a COCO file.

    A sample is the one that `PromptDataset` gives for the COCO file and the same ticket, in any order, so all
    that holds there of workers, processes and restarts holds here.

    Args:
        ann_file: the folder of shards, or with ``data_root`` an address such as ``s3://bucket/folder``;
            ``*`` stands for parts of names, and all that fit are one (`ultrasam.data.shards.shard_reading`).
        kwargs: of `PromptDataset`, without ``categories``: which objects there are is said in the export.
    """

    LOAD = "LoadStoredImage"
    ann_file: str

    def __init__(self, **kwargs: Any) -> None:
        self._fetched: dict[int, StoredSample] = {}
        super().__init__(**kwargs)

    def _join_prefix(self) -> None:
        """The place of the shards; mmengine would ask a storage package of its own about addresses."""
        if self.data_root and "://" not in self.ann_file and not Path(self.ann_file).is_absolute():
            self.ann_file = f"{str(self.data_root).rstrip('/')}/{self.ann_file}"

    def load_data_list(self) -> NDArray[np.int64]:  # type: ignore[override]
        """Open the shards and give the numbers of the samples with objects."""
        self.shards = ShardStores(self.ann_file)
        print_log(self.shards.summary(), logger="current")
        return self.shards.with_objects

    def __getitems__(self, tickets: Sequence[int]) -> list[Any]:
        """A batch, as PyTorch's loader asks for it: all of it is fetched at once."""
        rows = [int(self.data_list[ticket % len(self)]) for ticket in tickets]
        self._fetched = dict(zip(rows, self.shards.read(rows), strict=True))
        try:
            return [self[ticket] for ticket in tickets]
        finally:
            self._fetched = {}

    def _info_of(self, idx: int) -> dict[str, Any]:
        row = int(self.data_list[idx])
        sample = self._fetched.get(row) or self.shards.read([row])[0]
        entry = sample.entry
        return {
            "img_id": entry["id"],
            "img_path": f"{self.ann_file}/{entry['file_name']}",
            "height": entry["height"],
            "width": entry["width"],
            "dataset": str(entry.get("dataset", "")),
            "where": sample.where,
            "instances": [instance(annotation) for annotation in sample.annotations],
            "sample_idx": idx,
            "stored": sample,
        }


@TRANSFORMS.register_module()
class LoadStoredImage(BaseTransform):
    """Make an image of what is stored of it: ``img`` becomes (H, W, 3) uint8 RGB.

    Args:
        grey_views: see `LoadImage`.
    """

    def __init__(self, grey_views: bool = False) -> None:
        self.grey_views = grey_views

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Decode it and check its size."""
        stored: StoredSample = results["stored"]
        size = results["height"], results["width"]
        image = restore(stored.ending, stored.pixels, size, stored.where, gray_view=self.grey_views)
        results["img"], results["ori_shape"] = image, image.shape[:2]
        return results
