"""COCO files for instance segmentation; every draw is from the sample's own random numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmdet.datasets import BaseDetDataset
from mmdet.registry import DATASETS, TRANSFORMS
from mmdet.structures import DetDataSample
from mmdet.structures.mask import BitmapMasks
from mmengine.logging import print_log
from mmengine.structures import InstanceData

from ultrasam.data import coco
from ultrasam.data.boxes import tight_boxes
from ultrasam.errors import DataError
from ultrasam.mm.datasets.tickets import Tickets
from ultrasam.mm.datasets.transforms import instance, truth
from ultrasam.preprocess import Geometry, resize_image


@DATASETS.register_module()
class InstanceDataset(Tickets, BaseDetDataset):
    """Images with classified objects.

    Args:
        img_size: S, side of the network's square input in pixels.
        classes: names of the categories to find; objects of others are left out and counted.
        flip: probability of a horizontal flip in training.
        jitter: range of the scale in training, as a factor on the size that fits the input.
        seed: of flips, scales and crops; None for the sampler's.
        kwargs: of mmdet's ``BaseDetDataset`` (``ann_file``, ``data_root``, ``data_prefix``, ``test_mode``); a
            ``pipeline`` is left to MMDetection's inference tools, which look for it in the configuration.
    """

    def __init__(
        self,
        *,
        img_size: int,
        classes: Sequence[str],
        flip: float = 0.5,
        jitter: tuple[float, float] = (0.1, 2.0),
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        self.seed = seed
        training = [
            {"type": "Flip", "probability": flip},
            {"type": "ScaleJitter", "img_size": img_size, "scale": jitter},
        ]
        kwargs["pipeline"] = [
            {"type": "LoadImage"},
            {"type": "LoadObjects"},
            *([{"type": "FitInput", "img_size": img_size}] if kwargs.get("test_mode") else training),
            {"type": "PackInstances"},
        ]
        super().__init__(metainfo={"classes": tuple(classes)}, **kwargs)

    def load_data_list(self) -> list[dict[str, Any]]:
        """Read and check the COCO file; say in the log what is used and what is left out."""
        classes = self.metainfo["classes"]
        used = coco.load(self.ann_file, self.data_prefix.get("img") or ".", classes)
        names = {c["id"]: c["name"] for c in used.content["categories"]}
        counts = Counter(names[a["category_id"]] for image in used.images for a in image.annotations)
        shown = ", ".join(f"{counts[name]} {name}" for name in classes)
        print_log(f"{used.summary()}: {shown}", logger="current")
        self._check(classes, counts, len(used.images))
        return [
            {
                "img_id": image.id,
                "img_path": str(image.path),
                "height": image.size[0],
                "width": image.size[1],
                "where": f"{self.ann_file}: image {image.id}",
                "instances": [instance(a, classes.index(names[a["category_id"]])) for a in image.annotations],
            }
            for image in used.images
        ]

    def _check(self, classes: Sequence[str], counts: Counter[str], images: int) -> None:
        empty = ", ".join(name for name in classes if not counts[name])
        if self.test_mode:
            if empty:
                print_log(f"{self.ann_file} has no object of {empty}: no score for it", logger="current")
            return
        if empty:
            raise DataError(
                f"{self.ann_file} has no object of {empty}: nothing can be learned about it. Add images, or "
                "take the class out of 'classes'"
            )
        if images < 2:
            raise DataError(f"{self.ann_file} has one image to use; training takes two or more")


@TRANSFORMS.register_module()
class ScaleJitter(BaseTransform):
    """Large-scale jittering (Ghiasi et al. 2021): resize by a random factor, crop what is too large.

    Objects that a crop cuts off are dropped, boxes are made anew from the masks.

    Args:
        img_size: S, side of the network's input.
        scale: range of the factor on the size that fits the input.
    """

    def __init__(self, img_size: int, scale: tuple[float, float] = (0.1, 2.0)) -> None:
        self.img_size = img_size
        self.scale = scale

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Resize and crop image and masks."""
        rng = results["rng"]
        side = max(round(self.img_size * rng.uniform(*self.scale)), 1)
        geometry = Geometry.of(results["img"].shape[0], results["img"].shape[1], side)
        height, width = geometry.resized
        top = int(rng.integers(0, max(height - self.img_size, 0) + 1))
        left = int(rng.integers(0, max(width - self.img_size, 0) + 1))
        window = slice(top, top + self.img_size), slice(left, left + self.img_size)
        results["img"] = resize_image(results["img"], geometry)[window]
        masks = [
            cv2.resize(mask.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST)[window]
            for mask in results["masks"]
        ]
        kept = [i for i, mask in enumerate(masks) if mask.any()]
        results["masks"] = [masks[i].astype(bool) for i in kept]
        results["instances"] = [results["instances"][i] for i in kept]
        results["boxes"] = tight_boxes(results["masks"])
        return results


@TRANSFORMS.register_module()
class PackInstances(BaseTransform):
    """Pack for the model: ``inputs`` (3, h, w) uint8; objects to learn from, or to score against."""

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Pack one sample."""
        labels = [instance["bbox_label"] for instance in results["instances"]]
        height, width = results["img"].shape[:2]
        sample = DetDataSample(
            metainfo={
                "img_id": results["img_id"],
                "img_path": results["img_path"],
                "ori_shape": (results["height"], results["width"]),
                "img_shape": (height, width),
                "scale_factor": (width / results["width"], height / results["height"]),
            }
        )
        if "rng" in results:
            masks = np.stack(results["masks"]) if results["masks"] else np.zeros((0, height, width))
            sample.gt_instances = InstanceData(
                bboxes=torch.from_numpy(results["boxes"]).float(),
                labels=torch.tensor(labels, dtype=torch.long),
                masks=BitmapMasks(masks.astype(np.uint8), height, width),
            )
        else:
            sample.set_metainfo({"instances": truth(results)})
        image = torch.from_numpy(np.ascontiguousarray(results["img"].transpose(2, 0, 1)))
        return {"inputs": image, "data_samples": sample}
