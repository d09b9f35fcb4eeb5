"""Images a second that one core makes ready for training: ours beside a plain MMDetection pipeline.

The peer is how MMDetection feeds a promptable model: LoadImageFromFile, LoadAnnotations with masks, Resize of
the image and of full-size masks, RandomFlip, a point or a box from the resized mask, PackDetInputs. Time is
that of the processor, on one thread; images are simulated, or those of `--coco FILE --images DIR`. Ours also
reads them as `ultrasam data cache` stores them.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from ultrasam.data.image_store import store

from .harness import Bench, interleave, main

SIZE = 1024


def fabricate(folder: Path, count: int, color: bool) -> Path:
    """Simulated frames of 768 x 576 pixels, written as our converters do, and their COCO file."""
    from ultrasam.converters.engine.coco import write_png

    from ultrasam.data import coco
    from ultrasam.phantom import simulate

    images: list[dict[str, Any]] = []
    objects: list[dict[str, Any]] = []
    for i in range(1, count + 1):
        phantom = simulate(3, i, size=768, color=color)
        write_png(np.ascontiguousarray(phantom.image[:576]), folder / f"{i}.png")
        images.append({"id": i, "file_name": f"{i}.png", "height": 576, "width": 768})
        for item in phantom.objects:
            mask = np.ascontiguousarray(item.mask[:576])
            if mask.any():
                ids = {"id": len(objects) + 1, "image_id": i, "category_id": 1, "iscrowd": 0}
                box = cv2.boundingRect(mask.astype(np.uint8))
                shape = {"bbox": list(box), "area": int(mask.sum()), "segmentation": coco.encode(mask)}
                objects.append({**ids, **shape})
    content = {"images": images, "annotations": objects, "categories": [{"id": 1, "name": "object"}]}
    (folder / "train.json").write_text(json.dumps(content))
    return folder / "train.json"


def mmdet_data(path: Path, images: Path) -> Any:
    """MMDetection's data set with a transform that makes prompts of the resized masks."""
    from mmcv.transforms import BaseTransform
    from mmdet.datasets import CocoDataset
    from mmdet.registry import TRANSFORMS

    @TRANSFORMS.register_module(force=True)
    class PromptsOfMasks(BaseTransform):
        def transform(self, results: dict[str, Any]) -> dict[str, Any]:
            rng = np.random.default_rng()
            prompts = []
            for mask, box in zip(results["gt_masks"].masks, results["gt_bboxes"].numpy(), strict=True):
                if rng.random() < 0.5:
                    inside = np.argwhere(mask)
                    prompts.append(inside[rng.integers(len(inside))])
                else:
                    prompts.append(box + rng.uniform(-0.05, 0.05, 4) * np.tile(box[2:] - box[:2], 2))
            return {**results, "prompts": prompts}

    return CocoDataset(
        ann_file=str(path),
        data_prefix={"img": str(images)},
        metainfo={"classes": ("object",)},
        filter_cfg={"filter_empty_gt": True},
        pipeline=[
            {"type": "LoadImageFromFile"},
            {"type": "LoadAnnotations", "with_bbox": True, "with_mask": True},
            {"type": "Resize", "scale": (SIZE, SIZE), "keep_ratio": True},
            {"type": "RandomFlip", "prob": 0.5},
            {"type": "PromptsOfMasks"},
            {"type": "PackDetInputs"},
        ],
    )


def our_data(path: Path, images: Path) -> Any:
    from ultrasam.mm.datasets.prompt_dataset import PromptDataset

    return PromptDataset(img_size=SIZE, ann_file=str(path), data_prefix={"img": str(images)}, flip=0.5)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--coco", type=Path, help="a COCO file of your own")
    parser.add_argument("--images", type=Path, help="its folder of images")


def measure(bench: Bench) -> None:
    from mmengine.registry import init_default_scope

    import ultrasam.mm  # noqa: F401

    init_default_scope("mmdet")
    cv2.setNumThreads(1)
    if bench.args.coco:
        compare(bench, bench.args.coco, bench.args.images, "given images")
        return
    for color in (False, True):
        with tempfile.TemporaryDirectory() as folder:
            path = fabricate(Path(folder), 4 if bench.quick else 40, color)
            compare(bench, path, Path(folder), "color images" if color else "gray images")


def compare(bench: Bench, path: Path, images: Path, what: str) -> None:
    theirs, ours = mmdet_data(path, images), our_data(path, images)
    few = range(min(len(ours), len(theirs), 200))
    with tempfile.TemporaryDirectory() as folder:
        sets = {"MMDetection's pipeline": theirs, "ultrasam": ours}
        for kind in ("webp", "raw"):
            stored = store([path], images, Path(folder) / kind, kind)
            share = f"{stored.bytes_now / stored.bytes_before:.2f}"
            bench.fact(f"Bytes of {what} stored as {kind}, times those before", share)
            sets[f"ultrasam, {kind}"] = our_data(stored.written[0], Path(folder) / kind / "images")
        works = {name: lambda data=data: [data[i] for i in few] for name, data in sets.items()}
        samples = interleave(works, bench.args.rounds or 5, time.process_time)
        rates = {name: [len(few) / seconds for seconds in values] for name, values in samples.items()}
        title = f"{len(few)} {what} to {SIZE} px with prompts and masks, one core"
        for name in list(sets)[1:]:
            both = {"MMDetection's pipeline": rates["MMDetection's pipeline"], name: rates[name]}
            goals = {"MMDetection's pipeline": 1.6}
            more = name.removeprefix("ultrasam")
            bench.record(title + more, "images/s", both, ours=name, goals=goals, more_is_better=True)
        stored_unlike = sum(
            not torch.equal(ours[i]["inputs"], data[i]["inputs"])
            for data in list(sets.values())[2:]
            for i in few
        )
    bench.fact(
        f"Of {what} stored again, unlike what they were", str(stored_unlike), "none", not stored_unlike
    )
    unlike = 0
    for i in few:
        there, here = theirs[i]["inputs"].flip(0), ours[i]["inputs"]
        # Each draws its own flips; colors are in another order.
        unlike += not any(torch.equal(side, here) for side in (there, there.flip(2)))
    bench.fact(f"Of {what}, unlike those of MMDetection, flips aside", str(unlike), "none", not unlike)


if __name__ == "__main__":
    sys.exit(main(measure, __doc__, "data", add_arguments))
