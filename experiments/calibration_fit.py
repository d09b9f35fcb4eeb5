"""What the small model's predicted IoU is worth: fitted on val parts, checked on sets that it never saw.

  python -m experiments.calibration_fit --data corpus more --weights small --out quality.json

Each folder of --data has ``images`` and ``annotations/*.json``. The fit goes into a weight file with
``ultrasam weights convert small new.safetensors --to safetensors --half --quality quality.json``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from ultrasam.data.files import write_json
from ultrasam.evaluate.metrics import calibration, iou
from ultrasam.evaluate.prompting import object_prompts, read_checked
from ultrasam.evaluate.samples import Sample, read_samples
from ultrasam.predict.object_predictor import ObjectPredictor
from ultrasam.predict.quality import assess, fit_quality
from ultrasam.types import ModelUsage, QualityFit

#: Sets whose license permits to ship what was made of them, and sets that the model never saw. Not DL-Track:
#: on its bands the small model finds next to nothing and is sure of it, and a fit with them doubts all else.
FITTED = ("bus_bra", "breast_usg", "hc", "usgra_seg")
UNSEEN = ("busi", "bus_uclm", "stu_hospital", "ddti", "mmotu_2d")


@dataclass
class Rows:
    """Masks: kind of prompt, predicted IoU, agreement, real IoU, true over found area."""

    kinds: list[str]
    values: list[tuple[float, float, float, float]]

    def of(self, kind: str) -> np.ndarray:
        """(n, 4) of a kind."""
        return np.array([v for k, v in zip(self.kinds, self.values, strict=True) if k == kind])


def measure(predictor: ObjectPredictor, samples: Sequence[Sample]) -> Rows:
    """Ask for every object with its box and its middle."""
    rows = Rows([], [])
    for sample in tqdm(samples, unit="image"):
        encoded, targets = predictor.encode(read_checked(sample.item)), sample.item.masks()
        for kind in ("box", "point"):
            found = encoded.segment(object_prompts(sample.item, targets, kind), multimask=True)
            judged = assess(encoded, found, multimask=True)
            for i, target in enumerate(targets):
                overlap, mask = iou(found.masks[i], target), found.masks[i]
                ratio = float(target.sum()) / max(int(mask.sum()), 1)
                rows.kinds.append(kind)
                score = float(np.clip(found.scores[i], 0, 1))
                rows.values.append((score, float(judged.agreement[i]), overlap, ratio))
    return rows


def check(fit: QualityFit, rows: Rows) -> dict[str, dict[str, float]]:
    """Calibration errors before and after, and how often the interval of the area holds."""
    result = {}
    for kind in ("box", "point"):
        score, agreement, overlap, ratio = rows.of(kind).T
        quality = np.array([fit.expected(kind, v) for v in score * agreement])
        low, high = fit.area_ratios(kind)
        before, after = calibration(score, overlap), calibration(quality, overlap)
        result[kind] = {
            "objects": len(score),
            "error of predicted IoU": round(before.error, 3),
            "error of quality": round(after.error, 3),
            "bias of predicted IoU": round(before.bias, 3),
            "bias of quality": round(after.bias, 3),
            "correlation of predicted IoU": round(before.correlation, 3),
            "correlation of quality": round(after.correlation, 3),
            "area within": round(float(((ratio >= low) & (ratio <= high)).mean()), 3),
        }
    return result


def main(argv: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m experiments.calibration_fit",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", nargs="+", type=Path, required=True, metavar="DIR")
    parser.add_argument("--weights", default="small")
    parser.add_argument("--limit", type=int, help="at most N images a set")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE")
    args = parser.parse_args(argv)
    predictor = ObjectPredictor(args.weights, device="cpu", cleanup=True)

    def samples(names: Sequence[str], splits: Sequence[str]) -> list[Sample]:
        found: list[Sample] = []
        for folder in args.data:
            files = [f for f in sorted((folder / "annotations").glob("*.json")) if f.stem in names]
            if files:
                found += read_samples(
                    dict.fromkeys(files, folder / "images"), splits=splits, limit=args.limit
                )[0]
        return found

    rows = measure(predictor, samples(FITTED, ("val",)))
    values = np.array(rows.values)
    fit = fit_quality(rows.kinds, values[:, 0] * values[:, 1], values[:, 2], values[:, 3])
    # Before the check, which takes longer.
    write_json(args.out, ModelUsage(quality=fit).note()["quality"], indent=1)
    checked = {
        "fitted on": check(fit, rows),
        "unseen": check(fit, measure(predictor, samples(UNSEEN, ("test",)))),
    }
    write_json(args.out, {**ModelUsage(quality=fit).note()["quality"], "checked": checked}, indent=1)
    for where, kinds in checked.items():
        for kind, numbers in kinds.items():
            print(where, kind, numbers)
    return 0


if __name__ == "__main__":
    sys.exit(main())
