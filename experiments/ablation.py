"""Ablation of the small model's data and augmentation: the same short training with one thing left out.

Data as `docs/small.md` makes them. Seeds are the outer loop: a run that is cut short has every arm of the
seeds that are done, and goes on when it is started again. Writes ablation.json and prints a Markdown table.

  python -m experiments.ablation --data data --out ablation
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from ultrasam.data.files import write_json
from ultrasam.machine.child import in_child

from .transfer import spread

CONFIG = "ultrasam/ultrasam_vit-t_small_longer"
BOTH = ("small/train.json", "small")
#: Arm -> training file and its images, within the data folder; augmentations that are left out.
ARMS: dict[str, tuple[tuple[str, str], tuple[str, ...]]] = {
    "phantoms and real": (BOTH, ()),
    "phantoms alone": (("phantom/annotations/all.json", "phantom/images"), ()),
    "real alone": (("small/real.json", "small"), ()),
    "without degradation": (BOTH, ("Degrade",)),
    "without redrawing": (BOTH, ("Redraw",)),
}
SETS = ("bus_bra", "busi", "mmotu_2d", "ddti")


def main() -> int:
    args = _parser().parse_args()
    file = args.out / "ablation.json"
    rows: list[dict[str, Any]] = json.loads(file.read_text()) if file.is_file() else []
    done = {(row["arm"], row["seed"]) for row in rows}
    for seed in range(args.seeds):
        for arm in ARMS:
            if (arm, seed) not in done:
                rows.append({"arm": arm, "seed": seed, "scores": _scores(args, arm, seed)})
                write_json(file, rows, indent=1)
                print(rows[-1], flush=True)
    print(table(rows))
    return 0


def _scores(args: argparse.Namespace, arm: str, seed: int) -> dict[str, float]:
    from ultrasam.cli.main import main as command
    from ultrasam.mm.engine.train import train

    folder = args.out / f"{arm.replace(' ', '-')}_{seed}"
    checkpoint = folder / f"iter_{args.steps}.pth"
    # In processes of their own: a training must not see another's state.
    if not checkpoint.is_file():
        in_child(
            train,
            CONFIG,
            work_dir=folder,
            from_scratch=True,
            amp=True,
            seed=seed,
            cfg_options=_options(args, arm),
        )
    found = {}
    for name, extra in (("test", ["--degrade", "portable"]), ("unseen", [])):
        out = folder / name
        asked = [checkpoint, args.data / f"small/{name}.json", "--images", args.data / "small", "--out", out]
        asked += ["--limit", args.limit, "--prompts", "box,point", "--closer", *extra]
        if in_child(command, ["evaluate", *map(str, asked)]):
            raise SystemExit("'ultrasam evaluate' failed; its messages are above")
        datasets = json.loads((out / "results.json").read_text())["datasets"]
        found.update({name: datasets[name]["scores"] for name in SETS if name in datasets})
    scores = {name: 100 * found[name]["box"]["mAP"] for name in SETS}
    scores["bus_bra, point"] = 100 * found["bus_bra"]["point"]["mAP"]
    scores["bus_bra, degraded"] = 100 * found["bus_bra"]["box@portable=1"]["mAP"]
    return scores


def _options(args: argparse.Namespace, arm: str) -> dict[str, Any]:
    from ultrasam.mm.engine.configuration import load_config

    (file, images), left_out = ARMS[arm]
    augment = load_config(CONFIG).train_dataloader.dataset.augment
    return {
        # A user who corrects would double the cost of a step.
        "model.train_correct": None,
        "model.network.img_size": args.img_size,
        "model.data_preprocessor.img_size": args.img_size,
        **{f"{part}_dataloader.dataset.img_size": args.img_size for part in ("train", "val", "test")},
        "train_dataloader.dataset.augment": [dict(step) for step in augment if step["type"] not in left_out],
        "train_dataloader.dataset.data_root": f"{args.data}/",
        "train_dataloader.dataset.ann_file": file,
        "train_dataloader.dataset.data_prefix.img": f"{images}/",
        "val_dataloader.dataset.data_root": f"{args.data}/small/",
        "test_dataloader.dataset.data_root": f"{args.data}/small/",
        "train_dataloader.batch_size": args.batch,
        "train_cfg.max_iters": args.steps,
        "train_cfg.val_interval": args.steps + 1,
        "param_scheduler.0.end": args.steps // 8,
        "param_scheduler.1.begin": args.steps // 8,
        "param_scheduler.1.end": args.steps,
        "default_hooks.checkpoint.interval": args.steps,
        "optim_wrapper.optimizer.lr": 1e-3,
        "custom_hooks.3.momentum": 0.02,
    }


def table(rows: list[dict[str, Any]]) -> str:
    """Mean, lowest and highest of the seeds, an arm a line."""
    names = list(rows[0]["scores"])
    lines = [f"| arm | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    for arm in ARMS:
        cells = [spread([row["scores"][name] for row in rows if row["arm"] == arm]) for name in names]
        lines.append(f"| {arm} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m experiments.ablation",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", type=Path, default=Path("data"), help="holds small/ and phantom/ (data)")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--img-size", type=int, default=128)
    parser.add_argument("--limit", type=int, default=300, help="test images a file (300)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
