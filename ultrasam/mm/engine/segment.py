"""A trained Mask2Former on image files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData
from pycocotools import mask as coco_mask
from tqdm import tqdm

from ultrasam.data import coco
from ultrasam.data.files import write_json
from ultrasam.data.images import read_each, write_image
from ultrasam.errors import ConfigError, DataError
from ultrasam.machine.memory import memory_advice
from ultrasam.mm.engine.configuration import errors_of_parts, load_config
from ultrasam.mm.models.segmenter import InstanceSegmenter
from ultrasam.preprocess import Geometry, resize_image
from ultrasam.report.draw import overlay


def segment(
    config: str | Path,
    checkpoint: str | Path,
    images: Sequence[Path],
    *,
    out: Path,
    score: float = 0.3,
    cfg_options: Mapping[str, Any] | None = None,
) -> Path:
    """Find objects without a prompt; write pictures and a COCO file of them.

    Args:
        config: the configuration the model was trained with.
        checkpoint: of that training run.
        images: image files.
        out: folder for the pictures and ``instances.json``.
        score: leave out objects below it.
        cfg_options: changes of the configuration, as in training.

    Returns:
        the COCO file; each annotation has a ``score``, and ``info`` lists under ``unreadable`` what is wrong
        with images that can't be read.

    Raises:
        ConfigError: the configuration is of another kind of model.
        CheckpointError: the file does not fit it.
        DataError: not one image is readable.
    """
    segmenter = Segmenter.load(config, checkpoint, cfg_options)
    names = segmenter.names
    unreadable: list[str] = []
    content: dict[str, Any] = {
        "info": {"description": "segmented by ultrasam segment", "unreadable": unreadable},
        "images": [],
        "annotations": [],
        "categories": [{"id": i, "name": name} for i, name in enumerate(names, 1)],
    }
    progress = tqdm(images, disable=len(images) < 2)
    for number, (path, image) in enumerate(read_each(progress, unreadable), 1):
        found = segmenter.find(image, score)
        _record(content, number, path, image, found)
        captions = [
            f"{names[label]} {value:.2f}"
            for label, value in zip(found.labels.tolist(), found.scores.tolist(), strict=True)
        ]
        write_image(
            out / f"{number:04d}_{path.stem}.png", overlay(image, list(found.masks), captions=captions)
        )
    if unreadable and not content["images"]:
        raise DataError("\n".join(unreadable))
    written = out / "instances.json"
    write_json(written, content)
    return written


class Segmenter:
    """A trained Mask2Former, ready for images.

    Attributes:
        names: of its classes.
    """

    def __init__(self, model: InstanceSegmenter, names: Sequence[str], img_size: int) -> None:
        self.names, self._model, self._size = list(names), model, img_size

    @classmethod
    def load(
        cls, config: str | Path, checkpoint: str | Path, cfg_options: Mapping[str, Any] | None = None
    ) -> Segmenter:
        """Build the model of a configuration with the weights of a training run; arguments as `segment`'s.

        Raises:
            ConfigError: the configuration is of another kind of model.
            CheckpointError: the file does not fit it.
        """
        cfg = load_config(config, cfg_options=cfg_options)
        if cfg.model.type != "InstanceSegmenter":
            raise ConfigError(f"{config} is no Mask2Former; choose one of downstream/segmentation")
        cfg.model.backbone.weights, cfg.model.decoder = None, None
        init_default_scope("mmdet")
        with errors_of_parts(config):
            model = MODELS.build(cfg.model)
        model.load_weights(str(checkpoint))
        return cls(model.eval().to("cuda" if torch.cuda.is_available() else "cpu"), cfg.classes, cfg.img_size)

    def find(self, image: np.ndarray, score: float) -> InstanceData:
        """Objects of an RGB image (H, W, 3) that are at least so sure; see `find`."""
        with memory_advice(["a smaller input (--cfg-options img_size=512)"]):
            found = find(self._model, image, self._size)
        return found[found.scores >= score]


@torch.no_grad()
def find(model: InstanceSegmenter, image: np.ndarray, img_size: int) -> InstanceData:
    """Objects of an RGB image (H, W, 3): ``masks`` (n, H, W) bool, ``scores``, ``labels``, ``bboxes``."""
    geometry = Geometry.of(image.shape[0], image.shape[1], img_size)
    inputs = torch.from_numpy(resize_image(image, geometry).transpose(2, 0, 1).copy())
    sample = DetDataSample(
        metainfo={
            "ori_shape": image.shape[:2],
            "img_shape": geometry.resized,
            "scale_factor": geometry.scale,
        }
    )
    found = model.test_step({"inputs": [inputs], "data_samples": [sample]})[0].pred_instances.cpu()
    return InstanceData(
        masks=found.masks.numpy(), scores=found.scores, labels=found.labels, bboxes=found.bboxes
    )


def _record(content: dict[str, Any], number: int, path: Path, image: np.ndarray, found: InstanceData) -> None:
    """Add an image and its objects to a COCO file."""
    height, width = image.shape[:2]
    content["images"].append({"id": number, "file_name": str(path), "height": height, "width": width})
    for mask, label, score in zip(found.masks, found.labels.tolist(), found.scores.tolist(), strict=True):
        rle = coco.encode(mask)
        content["annotations"].append(
            {
                "id": len(content["annotations"]) + 1,
                "image_id": number,
                "category_id": label + 1,
                "segmentation": rle,
                "bbox": coco_mask.toBbox(rle).tolist(),
                "area": int(coco_mask.area(rle)),
                "iscrowd": 0,
                "score": score,
            }
        )
