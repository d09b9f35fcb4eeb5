"""From a COCO entry to network input, prompts and targets.

Each transform draws from ``results["rng"]`` alone; in testing there is none and nothing is random.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmdet.registry import TRANSFORMS
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData

from ultrasam.data import coco
from ultrasam.data.boxes import to_xyxy
from ultrasam.data.images import mirror, once_if_gray, read_as_stated, read_image
from ultrasam.errors import ConfigError, DataError
from ultrasam.preprocess import Geometry, SizeRule, resize_image
from ultrasam.prompts.released import ReleasedRules
from ultrasam.prompts.sample import BOX_NOISE, OURS, draw_sample, simulate_prompts
from ultrasam.types import MASK_STRIDE


def instance(annotation: Mapping[str, Any], label: int = 0) -> dict[str, Any]:
    """An annotation of COCO's as an entry of MMDetection's ``instances``."""
    return {
        "bbox": to_xyxy(annotation["bbox"]).tolist(),
        "bbox_label": label,
        "mask": annotation["segmentation"],
        "ignore_flag": 0,
        "id": annotation.get("id"),
    }


def truth(results: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What predictions are scored against: the ``instances`` of a sample, their masks as RLE."""
    pairs = zip(results["instances"], results["masks"], strict=True)
    return [{**entry, "mask": coco.encode(mask)} for entry, mask in pairs]


@TRANSFORMS.register_module()
class LoadImage(BaseTransform):
    """Read the image file: ``img`` becomes (H, W, 3) uint8 RGB.

    Args:
        grey_views: let the three channels of a gray image be views of one, which cannot be written to; the
            transforms here resize and flip it once instead of three times.
    """

    def __init__(self, grey_views: bool = False) -> None:
        self.grey_views = grey_views

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Read it and check its size against the COCO file, where that says one."""
        path, gray_view = results["img_path"], self.grey_views
        if "height" in results:
            size = results["height"], results["width"]
            image = read_as_stated(path, size, results["where"], gray_view=gray_view)
        else:
            image = read_image(path, gray_view=gray_view)
        results["img"], results["ori_shape"] = image, image.shape[:2]
        return results


@TRANSFORMS.register_module()
class LoadObjects(BaseTransform):
    """Decode masks and boxes: ``masks`` a list of (H, W) bool, ``boxes`` (n, 4) float64 xyxy."""

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Decode them; an undecodable mask is an error that names file, image and annotation."""
        size = results["height"], results["width"]
        masks = []
        for entry in results["instances"]:
            where = f"{results['where']}, annotation {entry['id']}"
            mask = coco.decode(entry["mask"], size, where)
            if not mask.any():
                raise DataError(f"{where} has a malformed mask: it decodes to no pixel")
            masks.append(mask)
        results["masks"] = masks
        boxes = [entry["bbox"] for entry in results["instances"]]
        results["boxes"] = np.array(boxes, dtype=np.float64).reshape(-1, 4)
        return results


@TRANSFORMS.register_module()
class Flip(BaseTransform):
    """Mirror the image, and masks and boxes where there are any, left to right.

    Args:
        probability: of a flip.
    """

    def __init__(self, probability: float = 0.5) -> None:
        self.probability = probability

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Flip, or not."""
        if results["rng"].random() < self.probability:
            masks, boxes = results.get("masks", ()), results.get("boxes", np.zeros((0, 4)))
            results["img"], results["masks"], results["boxes"] = mirror(results["img"], masks, boxes)
        return results


@TRANSFORMS.register_module()
class FitInput(BaseTransform):
    """Resize the image so that its longest side fills the input; objects stay as annotated.

    Args:
        img_size: S, side of the network's input.
        size_rule: how sides are made whole pixels.
    """

    def __init__(self, img_size: int, size_rule: SizeRule = "round") -> None:
        self.img_size = img_size
        self.size_rule = size_rule

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Resize, and add ``geometry``."""
        height, width = results["img"].shape[:2]
        geometry = Geometry.of(height, width, self.img_size, self.size_rule)
        results["geometry"] = geometry
        results["img"] = once_if_gray(lambda image: resize_image(image, geometry), results["img"])
        return results


@TRANSFORMS.register_module()
class SimulatePrompts(BaseTransform):
    """Make prompts of the objects, in training drawn with ``rng`` and with low-resolution targets.

    Args:
        point_probability: of a point instead of a box; 1 or 0 in testing.
        box_noise: see `ultrasam.prompts.sample.noisy_box`.
        released: the rules of the released code instead of ours.
        per_object: prompts drawn for each object in training. More than one uses an image, whose encoding
            costs most, better; the published recipe draws one.
    """

    def __init__(
        self,
        point_probability: float = 0.5,
        box_noise: float = BOX_NOISE,
        released: bool = False,
        per_object: int = 1,
        mask_stride: int = MASK_STRIDE,
    ) -> None:
        self.per_object = per_object
        self.mask_stride = mask_stride
        self.options: dict[str, Any] = {
            "point_probability": point_probability,
            "box_noise": box_noise,
            "rules": ReleasedRules() if released else OURS,
        }

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Add ``prompts`` and, in training, ``targets`` (n, S/4, S/4) uint8."""
        objects = results["masks"], results["boxes"], results["geometry"]
        if "rng" in results:
            results["prompts"], results["targets"] = draw_sample(
                *objects,
                results["rng"],
                per_object=self.per_object,
                mask_stride=self.mask_stride,
                **self.options,
            )
        else:
            results["prompts"] = simulate_prompts(*objects, None, **self.options)
        return results


@TRANSFORMS.register_module()
class PackPrompts(BaseTransform):
    """Pack for the model.

    ``inputs`` is (3, h, w) uint8. The data sample's ``prompts`` hold points, labels and boxes. In training
    its ``gt_instances`` hold the targets, and boxes and labels for MMDetection to draw; in testing its
    metainfo holds ``instances`` to score against.
    """

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Pack one sample."""
        sample = DetDataSample()
        meta = {
            "img_id": results["img_id"],
            "img_path": results["img_path"],
            "dataset": results["dataset"],
            "ori_shape": (results["height"], results["width"]),
            "img_shape": results["img"].shape[:2],
            "geometry": results["geometry"],
        }
        for name, value in meta.items():
            # Nothing in it can change, so it need not be copied deeply, as `set_metainfo` does.
            sample.set_field(value, name, field_type="metainfo")
        arrays = results["prompts"]
        sample.prompts = InstanceData(
            points=torch.from_numpy(arrays.points),
            labels=torch.from_numpy(arrays.labels),
            boxes=torch.from_numpy(arrays.boxes),
        )
        if "targets" in results:
            boxes = results["geometry"].to_input(results["boxes"])
            boxes = np.tile(boxes, (len(results["targets"]) // len(boxes), 1))
            # As arrays, boxes and labels stay where they are when the batch goes to a GPU.
            sample.gt_instances = InstanceData(
                targets=torch.from_numpy(results["targets"]), bboxes=boxes, labels=np.zeros(len(boxes), int)
            )
        else:
            sample.set_field(truth(results), "instances", field_type="metainfo")
            if "stored" in results:
                # For those who draw on the image, which has no file.
                sample.set_field(results["stored"], "stored", field_type="metainfo")
        # Channels come first by name alone: putting them there in memory takes longer than the resize.
        image = _tensor(results["img"]).permute(2, 0, 1)
        return {"inputs": image, "data_samples": sample}


def _tensor(image: np.ndarray) -> torch.Tensor:
    """An image (H, W, 3) as a tensor of the same memory; a gray one stays a view of one channel."""
    if image.strides[2]:
        return torch.from_numpy(image)
    return torch.from_numpy(image[..., :1].copy()).expand(-1, -1, 3)


@TRANSFORMS.register_module()
class PackImage(BaseTransform):
    """Pack an image that comes without annotations, as MMDetection's inference tools load it (BGR)."""

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """``inputs`` (3, H, W) uint8 RGB; the model's preprocessor brings it to the input's size."""
        image = np.ascontiguousarray(results["img"][..., ::-1].transpose(2, 0, 1))
        sample = DetDataSample(metainfo={"ori_shape": results["img"].shape[:2]})
        sample.set_metainfo({name: results[name] for name in ("img_id", "img_path") if name in results})
        return {"inputs": torch.from_numpy(image), "data_samples": sample}


@TRANSFORMS.register_module()
class AskForPrompts(BaseTransform):
    """Stands in a promptable model's test pipeline, where MMDetection's inference tools look for one.

    Raises:
        ConfigError: always, since those tools give images alone.
    """

    def __init__(self) -> None:
        self.transform({})

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Say what to use."""
        raise ConfigError(
            "this model outlines what a point or a box asks for, and MMDetection's inference tools give "
            "images alone: use ultrasam.Predictor(CHECKPOINT), or 'ultrasam predict'"
        )
