"""Tickets: which image, in which pass over the data; all randomness of a sample follows from its ticket."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from mmengine.dataset import InfiniteSampler
from mmengine.registry import DATA_SAMPLERS

from ultrasam.errors import ConfigError


class Tickets:
    """A data set whose samples are drawn by ticket: ``pass number * number of images + image``.

    Put before mmengine's data set among the bases; ``seed`` has to be set before its start. In training a
    sample gets ``rng``, whose numbers depend on the seed and the ticket alone; see `PromptSampler`.
    Iterating is one pass.
    """

    seed: int | None

    def __iter__(self) -> Iterator[Any]:
        return (self[index] for index in range(len(self)))  # type: ignore[index, arg-type]

    def get_data_info(self, idx: int) -> dict[str, Any]:
        """The entry of a ticket."""
        number, index = divmod(int(idx), len(self))  # type: ignore[arg-type]
        info = super().get_data_info(index)  # type: ignore[misc]
        if not self.test_mode:  # type: ignore[attr-defined]
            info["rng"] = np.random.default_rng([self.seed or 0, number, index])
        return info

    def prepare_data(self, idx: int) -> Any:
        """Run the pipeline on the sample of a ticket."""
        return self.pipeline(self.get_data_info(idx))  # type: ignore[attr-defined]


@DATA_SAMPLERS.register_module()
class PromptSampler(InfiniteSampler):
    """An endless shuffled stream of tickets that say in which pass over the data an image is drawn.

    From the ticket a data set knows which random numbers are due, so neither the number of workers and
    processes nor a restart changes what is trained on. The data set draws with the sampler's seed, mmengine's
    ``randomness.seed``, unless it has its own.
    """

    def __init__(self, dataset: Any, shuffle: bool = True, seed: int | None = None) -> None:
        if len(dataset) == 0:
            raise ConfigError("the training data set is empty")
        super().__init__(dataset, shuffle=shuffle, seed=seed)
        if getattr(dataset, "seed", 0) is None:
            dataset.seed = self.seed

    def _infinite_indices(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(self.seed)
        for number in itertools.count():
            if self.shuffle:
                order = torch.randperm(self.size, generator=generator)
            else:
                order = torch.arange(self.size)
            yield from (order + number * self.size).tolist()
