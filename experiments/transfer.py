"""Transfer: the same model from trained and from random weights, at the same budget, over seeds.

Linear probe (features of a frozen encoder) and Mask2Former (all trained), each on the data sets that are
given as NAME=COCO:IMAGES with a 'split' of each image. One seed draws the random start, the order of the
data and the 80 % of the training images that are learned from. Prints a Markdown table, writes transfer.json.

  python -m experiments.transfer --checkpoint model.pth --out transfer \\
      --data phantom=data/phantom/annotations/all.json:data/phantom/images
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from ultrasam.data.files import write_json

CONFIG = "downstream/segmentation/mask2former_vit-t_phantom"
STARTS = ("trained", "random")


def main() -> int:
    args = _parser().parse_args()
    file = args.out / "transfer.json"
    results: list[dict[str, Any]] = json.loads(file.read_text()) if file.is_file() else []
    done = {(r["task"], r["data"], r["start"], r["seed"]) for r in results}
    tasks = {"probe": _probe, "mask2former": _mask2former}
    # Seeds outermost: a run that is cut short has something about every data set.
    for seed in range(args.seeds):
        for text in args.data:
            name, _, rest = text.partition("=")
            coco, _, images = rest.rpartition(":")
            splits = _write_splits(Path(coco), args.out / "splits" / f"{name}_{seed}", seed, args)
            for task in args.tasks:
                for start in STARTS:
                    if (task, name, start, seed) in done:
                        continue
                    begin = time.process_time()
                    scores = tasks[task](args, splits, Path(images), start, seed)
                    row = {"task": task, "data": name, "start": start, "seed": seed, "scores": scores}
                    results.append({**row, "cpu_seconds": time.process_time() - begin})
                    print(results[-1], flush=True)
                    write_json(file, results, indent=1)
    print(table(results))
    return 0


def _write_splits(coco: Path, folder: Path, seed: int, args: argparse.Namespace) -> dict[str, Path]:
    """Training images (a seeded 80 %, by group), all validation and all test images, as COCO files."""
    content = json.loads(coco.read_text())
    rng = np.random.default_rng(seed)
    paths = {}
    for split in ("train", "val", "test"):
        images = [i for i in content["images"] if i["split"] == split]
        if split == "train":
            groups = sorted({str(i.get("group") or i["file_name"]) for i in images})
            kept = set(rng.permutation(groups)[: round(0.8 * len(groups))])
            images = [i for i in images if str(i.get("group") or i["file_name"]) in kept]
        ids = {i["id"] for i in images}
        part = [a for a in content["annotations"] if a["image_id"] in ids]
        paths[split] = folder / f"{split}.json"
        write_json(paths[split], {**content, "images": images, "annotations": part})
    return paths


def _probe(
    args: argparse.Namespace, splits: dict[str, Path], images: Path, start: str, seed: int
) -> dict[str, float]:
    import torch

    from ultrasam.downstream import read_labels
    from ultrasam.downstream.encoder import Encoder, load_encoder
    from ultrasam.downstream.probe import probe
    from ultrasam.modeling.build import build_ultrasam

    if start == "trained":
        encoder = load_encoder(args.checkpoint, img_size=args.img_size, output="pooled")
    else:
        torch.manual_seed(seed)
        encoder = Encoder(build_ultrasam("vit_t", img_size=args.img_size).image_encoder.eval(), "pooled")
    train = read_labels(splits["train"], images)
    val, test = (read_labels(splits[split], images, names=train.names) for split in ("val", "test"))
    return probe(encoder, train, test, val, cache=args.out / "features").scores


def _mask2former(
    args: argparse.Namespace, splits: dict[str, Path], images: Path, start: str, seed: int
) -> dict[str, float]:
    from ultrasam.mm.engine.history import read_history
    from ultrasam.mm.engine.train import train

    classes = [c["name"] for c in json.loads(splits["train"].read_text())["categories"]]
    options = {
        "img_size": args.img_size,
        "data_root": "",
        "data_prefix.img": f"{images}/",
        "train_ann": str(splits["train"]),
        "val_ann": str(splits["test"]),
        "test_ann": str(splits["test"]),
        "classes": classes,
        "train_dataloader.batch_size": args.batch,
        "train_cfg.max_iters": args.steps,
        "train_cfg.val_interval": args.steps,
        "param_scheduler.1.end": args.steps,
        "default_hooks.checkpoint.interval": args.steps,
        "train_dataloader.num_workers": 0,
        "val_dataloader.num_workers": 0,
        "visualizer.vis_backends": [{"type": "LocalVisBackend"}],
        "default_hooks.visualization.draw": False,
    }
    # In this process: its seconds are counted.
    checkpoint = train(
        CONFIG,
        work_dir=args.out / "runs" / f"{splits['train'].parent.name}_{start}",
        start=args.checkpoint if start == "trained" else None,
        seed=seed,
        cfg_options=options,
    )
    scores = read_history(checkpoint.parent).val[-1]
    return {
        key: scores[key] for key in ("coco/segm_mAP", "coco/segm_mAP_50", "coco/bbox_mAP", "coco/bbox_mAP_50")
    }


def table(results: list[dict[str, Any]]) -> str:
    """Mean and range over the seeds, trained beside random."""
    wanted = {"probe": ("f1", "auc", "accuracy"), "mask2former": ("coco/segm_mAP", "coco/segm_mAP_50")}
    lines = ["| task | data | score | trained | random | seeds won |", "|---|---|---|---|---|---|"]
    for task, names in wanted.items():
        for data in dict.fromkeys(r["data"] for r in results if r["task"] == task):
            for name in names:
                values = {
                    start: {
                        r["seed"]: 100 * r["scores"][name]
                        for r in results
                        if (r["task"], r["data"], r["start"]) == (task, data, start)
                    }
                    for start in STARTS
                }
                both = values["trained"].keys() & values["random"].keys()
                won = sum(values["trained"][seed] > values["random"][seed] for seed in both)
                cells = [spread(list(values[start].values())) for start in STARTS]
                lines.append(f"| {task} | {data} | {name} | {' | '.join(cells)} | {won} of {len(both)} |")
    return "\n".join(lines)


def spread(values: list[float]) -> str:
    """The mean of some seeds, with the lowest and highest."""
    if not values:
        return "not run"
    return f"{statistics.mean(values):.1f} ({min(values):.1f} to {max(values):.1f})"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--checkpoint", required=True, help="the trained start, a vit_t")
    parser.add_argument("--data", nargs="+", required=True, metavar="NAME=COCO:IMAGES")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--tasks", nargs="+", choices=("probe", "mask2former"), default=["probe"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--img-size", type=int, default=128)
    parser.add_argument("--batch", type=int, default=8, help="images a step of Mask2Former (8)")
    parser.add_argument("--steps", type=int, default=250, help="of Mask2Former (250)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
