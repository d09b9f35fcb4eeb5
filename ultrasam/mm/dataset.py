"""COCO files as an MMDetection data set whose randomness is a function of the sample alone."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from mmdet.datasets import BaseDetDataset
from mmdet.registry import DATASETS
from mmengine.dataset import InfiniteSampler
from mmengine.logging import print_log
from mmengine.registry import DATA_SAMPLERS

from ultrasam import columns
from ultrasam.errors import ConfigError


class Tickets:
    """A data set whose samples are drawn by ticket: ``pass number * number of images + image``.

    Put before mmengine's data set among the bases; ``seed`` has to be set before its start. In training a
    sample gets ``rng``, whose numbers depend on the seed and the ticket alone; see `PromptSampler`.
    """

    seed: int

    def get_data_info(self, idx: int) -> dict[str, Any]:
        """The entry of a ticket."""
        number, index = divmod(int(idx), len(self))  # type: ignore[arg-type]
        info = super().get_data_info(index)  # type: ignore[misc]
        if not self.test_mode:  # type: ignore[attr-defined]
            info["rng"] = np.random.default_rng([self.seed, number, index])
        return info

    def prepare_data(self, idx: int) -> Any:
        """Run the pipeline on the sample of a ticket."""
        return self.pipeline(self.get_data_info(idx))  # type: ignore[attr-defined]


class SharedAnnotations(BaseDetDataset):
    """mmdet's data set on flat arrays that all workers and processes share; see `ultrasam.columns`."""

    categories: Sequence[str] | None

    def load_data_list(self) -> list[int]:
        """Read and check the COCO file, and give the rows of its images.

        The log says what is used and what is left out.
        """
        self.columns = columns.load(self.ann_file, self.data_prefix.get("img") or ".", self.categories)
        print_log(self.columns.summary, logger="current")
        return list(range(len(self.columns)))

    def get_data_info(self, idx: int) -> dict[str, Any]:
        """The entry of an image."""
        image = self.columns.image(self.data_list[idx])
        return {
            "img_id": image.id,
            "img_path": str(image.path),
            "height": image.size[0],
            "width": image.size[1],
            "dataset": image.dataset,
            "where": f"{self.ann_file}: image {image.id}",
            "annotations": image.annotations,
            "sample_idx": idx,
        }


@DATASETS.register_module()
class PromptDataset(Tickets, SharedAnnotations):
    """Images with prompted objects; a sample is the same whatever worker, process or restart makes it.

    Args:
        img_size: S, side of the network's square input in pixels.
        prompts: arguments of `SimulatePrompts`.
        size_rule: ``round`` or ``truncate``, see `ultrasam.preprocess`.
        flip: probability of a horizontal flip in training.
        augment: further transforms between loading and resizing.
        categories: use only objects of these categories; None for all.
        seed: of flips and prompts.
        kwargs: of mmdet's ``BaseDetDataset`` (``ann_file``, ``data_root``, ``data_prefix``, ``test_mode``).
    """

    METAINFO = {"classes": ("object",), "palette": [(255, 196, 0)]}  # noqa: RUF012  mmengine's convention

    def __init__(
        self,
        *,
        img_size: int,
        prompts: dict[str, Any] | None = None,
        size_rule: str = "round",
        flip: float = 0.0,
        augment: Sequence[dict[str, Any]] = (),
        categories: Sequence[str] | None = None,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        self.categories = categories
        self.seed = seed
        kwargs["pipeline"] = [
            # Transforms of others may write to the image.
            {"type": "LoadImage", "grey_views": not augment},
            {"type": "LoadObjects"},
            *([] if kwargs.get("test_mode") else [{"type": "Flip", "probability": flip}]),
            *augment,
            {"type": "SimulatePrompts", "img_size": img_size, "size_rule": size_rule, **(prompts or {})},
            {"type": "PackPrompts"},
        ]
        # Nothing to serialise: the arrays are shared as they are.
        super().__init__(serialize_data=False, **kwargs)


@DATA_SAMPLERS.register_module()
class PromptSampler(InfiniteSampler):
    """An endless shuffled stream of tickets that say in which pass over the data an image is drawn.

    From the ticket a data set knows which random numbers are due, so neither the number of workers and
    processes nor a restart changes what is trained on.
    """

    def __init__(self, dataset: Any, shuffle: bool = True, seed: int | None = None) -> None:
        if len(dataset) == 0:
            raise ConfigError("the training data set is empty")
        super().__init__(dataset, shuffle=shuffle, seed=seed)

    def _infinite_indices(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(self.seed)
        for number in itertools.count():
            if self.shuffle:
                order = torch.randperm(self.size, generator=generator)
            else:
                order = torch.arange(self.size)
            yield from (order + number * self.size).tolist()
