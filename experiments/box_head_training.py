"""The head that proposes boxes: trained on embeddings of the small model, which stays as it is.

  python -m experiments.box_head_training --data corpus more --out box_head

Each folder of --data has ``images`` and ``annotations/*.json``, with the images' ``split``. Embeddings of the
train parts of sets that may be shipped, and of simulated images, are made once; started again, the command
goes on. It writes ``OUT/ultrasam_small.heads.safetensors`` and ``OUT/log.csv``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

import ultrasam
from experiments.head_data import PERMITTED, VIEWS, HeadData, make, mixed, phantoms, real, samples
from ultrasam.checkpoints.reading import read_objects
from ultrasam.checkpoints.writing import write_objects
from ultrasam.data.files import write_bytes
from ultrasam.modeling.box_head import CELL, BoxHead
from ultrasam.predict import head_files
from ultrasam.predict.embeddings_cache import fingerprint
from ultrasam.predict.proposals import read_maps
from ultrasam.preprocess import Geometry

BATCH, RATE, DECAY, AVERAGE = 32, 2e-3, 0.05, 0.995
#: Share of simulated images in a batch, and how much less often thin bands of muscle come.
SIMULATED, BANDS = 0.25, 0.5
#: Cells within this share of a box's side from its center, from half a cell to 20 pixels, are its own.
CENTER, FARTHEST = 0.2, 20.0
SIZE = 256
EVERY = 200


def draw_weights(sets: Sequence[str]) -> np.ndarray:
    """How often each of N rows is drawn, (N,): sets by the root of their size, and a share of phantoms."""
    names = np.array(sets)
    weights = np.zeros(len(names))
    for name in np.unique(names):
        own = names == name
        weights[own] = own.sum() ** -0.5 * (BANDS if name == "dl_track" else 1.0)
    simulated = names == "phantom"
    for part, share in ((simulated, SIMULATED), (~simulated, 1 - SIMULATED)):
        weights[part] *= share / max(weights[part].sum(), 1e-9)
    return weights / weights.sum()


def assign(boxes: np.ndarray) -> np.ndarray:
    """Which box is each cell's: (4, n, n) xyxy in cells, NaN where none; the smaller of two."""
    n = SIZE // CELL
    target = np.full((4, n, n), np.nan, np.float32)
    centers = np.arange(n) + 0.5
    boxes = np.reshape(boxes, (-1, 4)) / CELL
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    for box in boxes[np.argsort(-areas)]:
        (x, y), sides = (box[:2] + box[2:]) / 2, box[2:] - box[:2]
        reach = np.clip(CENTER * sides, 0.5, FARTHEST / CELL)
        columns, rows = (np.abs(centers - c) <= r for c, r in ((x, reach[0]), (y, reach[1])))
        target[:, rows[:, None] & columns[None]] = box[:, None]
    return target


def losses(maps: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Varifocal loss of the score and GIoU loss of the boxes, a positive cell."""
    own = ~target[:, 0].isnan()
    n = maps.shape[-1]
    centers = torch.arange(n) + 0.5
    y, x = torch.meshgrid(centers, centers, indexing="ij")
    sides = maps[:, 1:].clamp(max=6).exp()
    found = torch.stack([x - sides[:, 0], y - sides[:, 1], x + sides[:, 2], y + sides[:, 3]], dim=1)
    found, wanted = (part.permute(0, 2, 3, 1)[own] for part in (found, target))
    iou, giou = overlaps(found, wanted)
    logits = maps[:, 0]
    expected = torch.zeros_like(logits)
    expected[own] = iou.detach()
    weight = torch.where(own, expected, 0.75 * logits.detach().sigmoid() ** 2)
    score = (F.binary_cross_entropy_with_logits(logits, expected, reduction="none") * weight).sum()
    count = own.sum().clamp(min=1)
    return score / count, (1 - giou).sum() / count


def overlaps(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """IoU and generalized IoU (Rezatofighi et al. 2019) of boxes (N, 4) in pairs."""
    area_a, area_b = ((box[:, 2:] - box[:, :2]).clamp(min=0).prod(dim=1) for box in (a, b))
    both = (torch.minimum(a[:, 2:], b[:, 2:]) - torch.maximum(a[:, :2], b[:, :2])).clamp(min=0).prod(dim=1)
    either = area_a + area_b - both
    hull = (torch.maximum(a[:, 2:], b[:, 2:]) - torch.minimum(a[:, :2], b[:, :2])).prod(dim=1)
    iou = both / either.clamp(min=1e-6)
    return iou, iou - (hull - either) / hull.clamp(min=1e-6)


@torch.no_grad()
def recall(head: torch.nn.Module, data: HeadData, most: int) -> float:
    """Share of boxes that are among the first ``most`` with an IoU of 0.5; mean of the sets."""
    found: dict[str, list[bool]] = {}
    for row, feature in zip(data.rows, data.features, strict=True):
        size = tuple(row["resized"])
        maps = head(torch.from_numpy(feature[None].astype(np.float32)))[0].numpy()
        boxes = torch.from_numpy(read_maps(maps, Geometry(size, size, SIZE), most=most).boxes)
        for box in torch.tensor(row["boxes"], dtype=torch.float64).reshape(-1, 4):
            hit = len(boxes) > 0 and bool((overlaps(boxes, box.expand(len(boxes), 4))[0] >= 0.5).any())
            found.setdefault(row["set"], []).append(hit)
    return float(np.mean([np.mean(hits) for hits in found.values()]))


def train(data: HeadData, val: HeadData, out: Path, steps: int, seed: int) -> BoxHead:
    """Train, or go on where an earlier run stopped; the averaged head."""
    torch.manual_seed(seed)
    head = BoxHead()
    average = AveragedModel(head, multi_avg_fn=get_ema_multi_avg_fn(AVERAGE))
    optimizer = torch.optim.AdamW(head.parameters(), lr=RATE, weight_decay=DECAY)
    parts = {"head": head, "average": average, "optimizer": optimizer}
    kept, log, first = out / "state.pt", out / "log.csv", 0
    if kept.is_file():
        state = read_objects(kept)
        first = int(state["step"])
        for name, part in parts.items():
            part.load_state_dict(state[name])  # type: ignore[attr-defined]
    else:
        log.write_text("step,score,box,val_AR@1,val_AR@10\n")
    chances = draw_weights([row["set"] for row in data.rows])
    seen: list[tuple[float, float]] = []
    for step in range(first, steps):
        rows = np.random.default_rng([seed, step]).choice(len(chances), BATCH, p=chances)
        for group in optimizer.param_groups:
            group["lr"] = RATE * min((step + 1) / 100, 0.5 * (1 + np.cos(np.pi * step / steps)))
        features = torch.from_numpy(data.features[np.sort(rows)].astype(np.float32))
        target = torch.from_numpy(np.stack([assign(np.array(data.rows[r]["boxes"])) for r in np.sort(rows)]))
        score, box = losses(head(features), target)
        optimizer.zero_grad()
        (score + 2 * box).backward()
        torch.nn.utils.clip_grad_norm_(head.parameters(), 5.0)
        optimizer.step()
        average.update_parameters(head)
        seen.append((score.item(), box.item()))
        if (step + 1) % EVERY == 0 or step + 1 == steps:
            told = [*np.mean(seen, axis=0), recall(average.module, val, 1), recall(average.module, val, 10)]
            line = ",".join([str(step + 1), *(f"{v:.4f}" for v in told)])
            print(line, flush=True)
            with log.open("a") as file:
                file.write(line + "\n")
            seen = []
            write_objects({"step": step + 1} | {n: part.state_dict() for n, part in parts.items()}, kept)  # type: ignore[attr-defined]
    return average.module


def main(argv: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m experiments.box_head_training",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", nargs="+", type=Path, required=True, metavar="DIR")
    parser.add_argument("--phantoms", type=int, default=2000, metavar="N")
    parser.add_argument(
        "--views", type=int, default=5423, metavar="N", help="embeddings to learn from (5423)"
    )
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--limit", type=int, help="at most N images a set")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    args = parser.parse_args(argv)
    parts = {split: samples(args.data, PERMITTED, split, args.limit) for split in ("train", "val")}
    val = make(args.out / "val", real(parts["val"], 1, args.seed))
    jobs = [*real(parts["train"], VIEWS, args.seed), *phantoms(args.phantoms, args.seed + 7)]
    names = [s.item.dataset for s in parts["train"] for _ in range(VIEWS)] + ["phantom"] * args.phantoms
    chosen = mixed(jobs, draw_weights(names), args.seed)[: args.views]
    head = train(make(args.out / "train", chosen), val, args.out, args.steps, args.seed)
    state = {f"{head_files.BOX}{n}": v.half().contiguous() for n, v in head.state_dict().items()}
    digest = fingerprint(ultrasam.load().image_encoder)
    path = args.out / "ultrasam_small.heads.safetensors"
    write_bytes(path, save(state, {"format": "pt", head_files.ENCODER: digest}))
    print(f"{path}: {sum(v.numel() for v in state.values()):,} parameters")
    return 0


if __name__ == "__main__":
    sys.exit(main())
