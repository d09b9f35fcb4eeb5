"""COCO files as an MMDetection data set whose randomness is a function of the sample alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmdet.datasets import BaseDetDataset
from mmdet.registry import DATASETS
from mmengine.logging import print_log

from ultrasam.data import columns
from ultrasam.mm.datasets.tickets import Tickets
from ultrasam.mm.datasets.transforms import instance


class SharedAnnotations(BaseDetDataset):
    """mmdet's data set on flat arrays that all workers and processes share; see `ultrasam.data.columns`."""

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
        return self._info_of(idx)

    def _info_of(self, idx: int) -> dict[str, Any]:
        image = self.columns.image(self.data_list[idx])
        return {
            "img_id": image.id,
            "img_path": str(image.path),
            "height": image.size[0],
            "width": image.size[1],
            "dataset": image.dataset,
            "where": f"{self.ann_file}: image {image.id}",
            "instances": [instance(annotation) for annotation in image.annotations],
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
        seed: of flips and prompts; None for the sampler's.
        kwargs: of mmdet's ``BaseDetDataset`` (``ann_file``, ``data_root``, ``data_prefix``, ``test_mode``); a
            ``pipeline`` is left to MMDetection's inference tools, which look for it in the configuration.
    """

    METAINFO = {"classes": ("object",), "palette": [(255, 196, 0)]}  # noqa: RUF012  mmengine's convention
    #: The transform that loads the image.
    LOAD = "LoadImage"

    def __init__(
        self,
        *,
        img_size: int,
        prompts: dict[str, Any] | None = None,
        size_rule: str = "round",
        flip: float = 0.0,
        augment: Sequence[dict[str, Any]] = (),
        categories: Sequence[str] | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        self.categories = categories
        self.seed = seed
        kwargs["pipeline"] = [
            # Transforms of others may write to the image.
            {"type": self.LOAD, "grey_views": not augment},
            {"type": "LoadObjects"},
            *([] if kwargs.get("test_mode") else [{"type": "Flip", "probability": flip}]),
            *augment,
            {"type": "FitInput", "img_size": img_size, "size_rule": size_rule},
            {"type": "SimulatePrompts", **(prompts or {})},
            {"type": "PackPrompts"},
        ]
        # Nothing to serialize: the arrays are shared as they are.
        super().__init__(serialize_data=False, **kwargs)
