"""How many objects automatic masks find, and how long that takes: proposed boxes against grids of clicks.

  python -m experiments.proposal_recall --data corpus more --out recall.json

Average recall at 1, 10 and 100 masks an image, at IoU 0.5 and as the mean over 0.50 to 0.95 (COCO's), of the
test parts of sets that the model was trained on, and of all of sets that it never saw. Thresholds are off, so
that only the order counts. With 100, objects are looked for on the whole image, else closer. Seconds include
the encoding.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask
from tqdm import tqdm

from experiments.head_data import samples
from ultrasam.data import coco
from ultrasam.data.files import write_json
from ultrasam.evaluate.prompting import read_checked
from ultrasam.evaluate.samples import Sample
from ultrasam.predict.automatic import Everything, find_everything
from ultrasam.predict.predictor import Predictor

TRAINED = ("bus_bra", "breast_usg", "hc", "ccaui", "usgra_seg")
UNSEEN = ("busi", "bus_uclm", "stu_hospital", "ddti", "mmotu_2d", "camus", "us_nerve", "aul")
LEVELS = np.arange(0.5, 1.0, 0.05)
#: segment-anything's thresholds are made for photographs, and leave nothing of ultrasound.
_LOOSE = {"pred_iou_thresh": 0.5, "stability_score_thresh": 0.3, "points_per_side": 32}

Codes = list[dict[str, Any]]
Way = Callable[[np.ndarray], Codes]


def ways(engine: str) -> dict[str, Way]:
    """What is compared, each from an image to masks, the surest first."""
    closer = Predictor(engine=engine, device="cpu")  # type: ignore[arg-type]
    whole = Predictor(closer.engine, closer=False)

    def everything(predictor: Predictor, **wanted: Any) -> Way:
        return lambda image: find_everything(predictor.encode(image), Everything(**wanted)).rles()

    free = {"min_iou": 0.0, "min_area": 0.0, "max_area": 1.0}
    made = {
        "boxes, 10": everything(closer, min_score=0.0, most=10, **free),
        "boxes, 100": everything(whole, min_score=0.0, most=100, overlap=0.8, **free),
        "boxes, as shipped": everything(closer),
        "grid, 10": everything(closer, grid=True, most=10, **free),
        "grid, 100": everything(whole, grid=True, min_stability=0.0, most=100, overlap=0.8, **free),
        "grid, as shipped": everything(closer, grid=True),
    }
    if engine == "torch":
        made["segment-anything"] = lambda image: [
            coco.encode(entry["segmentation"])
            for entry in sorted(whole.automatic_masks(image, **_LOOSE), key=lambda e: -e["predicted_iou"])
        ]
    return made


def measure(way: Way, sample: Sample) -> tuple[np.ndarray, int, float]:
    """Of n objects the IoU with each of the masks (n, K), how many masks, and seconds."""
    image = read_checked(sample.item)
    start = time.perf_counter()
    found = way(image)
    seconds = time.perf_counter() - start
    targets = [coco.encode(mask) for mask in sample.item.masks()]
    iou = coco_mask.iou(found, targets, [0] * len(targets)).T if found else np.zeros((len(targets), 0))
    return iou, len(found), seconds


def scores(rows: Sequence[tuple[np.ndarray, int, float]]) -> dict[str, float]:
    """Recall at 1, 10 and 100, at IoU 0.5 and the mean over all levels."""
    told: dict[str, float] = {}
    for most in (1, 10, 100):
        best = np.concatenate([np.pad(iou, ((0, 0), (0, 1)))[:, :most].max(axis=1) for iou, _, _ in rows])
        told[f"AR50@{most}"] = round(float((best >= 0.5).mean()), 3)
        told[f"AR@{most}"] = round(float((best[:, None] >= LEVELS).mean()), 3)
    told["masks"] = round(float(np.mean([count for _, count, _ in rows])), 1)
    told["seconds"] = round(float(np.median([seconds for _, _, seconds in rows])), 3)
    return told | {"images": len(rows)}


def main(argv: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m experiments.proposal_recall",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", nargs="+", type=Path, required=True, metavar="DIR")
    parser.add_argument("--limit", type=int, help="at most N images a set")
    parser.add_argument("--sets", nargs="+", default=[*TRAINED, *UNSEEN])
    parser.add_argument("--ways", nargs="+", help="only these")
    parser.add_argument("--engine", choices=("onnx", "torch"), default="onnx")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE")
    args = parser.parse_args(argv)
    compared = {name: way for name, way in ways(args.engine).items() if not args.ways or name in args.ways}
    result: dict[str, dict[str, dict[str, float]]] = {name: {} for name in compared}
    for dataset in args.sets:
        chosen = samples(args.data, (dataset,), "test" if dataset in TRAINED else None, args.limit)
        rows: dict[str, list[Any]] = {name: [] for name in compared}
        for sample in tqdm(chosen, desc=dataset, unit="image"):
            for name, way in compared.items():
                rows[name].append(measure(way, sample))
        for name, measured in rows.items():
            result[name][dataset] = scores(measured)
            print(f"{dataset:14} {name:18} {result[name][dataset]}", flush=True)
        write_json(args.out, result, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
