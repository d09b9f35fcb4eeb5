"""A trained Mask2Former on image files."""

from __future__ import annotations

import argparse
import json
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
from ultrasam.data.images import read_image, write_image
from ultrasam.errors import ConfigError
from ultrasam.mm.engine.configuration import load_config
from ultrasam.mm.engine.run import memory_advice
from ultrasam.mm.models.segmenter import InstanceSegmenter
from ultrasam.preprocess import Geometry, resize_image
from ultrasam.report.draw import overlay


def segment(args: argparse.Namespace) -> int:
    """Write pictures and a COCO file of what is found; see ``ultrasam segment --help``."""
    config = load_config(args)
    if config.model.type != "InstanceSegmenter":
        raise ConfigError(f"{args.config} is no Mask2Former; choose one of downstream/segmentation")
    config.model.backbone.weights, config.model.decoder = None, None
    init_default_scope("mmdet")
    model = MODELS.build(config.model)
    model.load_weights(args.checkpoint)
    model = model.eval().to("cuda" if torch.cuda.is_available() else "cpu")
    names = list(config.classes)
    content: dict[str, Any] = {
        "images": [],
        "annotations": [],
        "categories": [{"id": i, "name": name} for i, name in enumerate(names, 1)],
    }
    for number, path in enumerate(tqdm(args.images, disable=len(args.images) < 2), 1):
        image = read_image(path)
        with memory_advice():
            found = find(model, image, config.img_size)
        found = found[found.scores >= args.score]
        _record(content, number, path, image, found)
        captions = [
            f"{names[label]} {score:.2f}"
            for label, score in zip(found.labels.tolist(), found.scores.tolist(), strict=True)
        ]
        print(f"{path}: {', '.join(captions) or 'nothing found'}")  # noqa: T201
        write_image(
            args.out / f"{number:04d}_{path.stem}.png", overlay(image, list(found.masks), captions=captions)
        )
    (args.out / "instances.json").write_text(json.dumps(content))
    return 0


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
