"""The numbers of an evaluation as tables of text, for the HTML report and for Markdown."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ultrasam.evaluate.protocol import BASELINES, Condition

Results = Mapping[str, Any]
NAMES = {
    "box": "UltraSam",
    "point": "UltraSam",
    "ellipse": "ellipse in the box",
    "region": "region grown from the point",
}
#: Who answered which prompt.
NAMES_OF_PROMPTS = {"box": "box", "point": "point", "ellipse": "box, ellipse", "region": "point, region"}
_COLUMNS = {
    "mAP": "mAP",
    "mAP50": "mAP50",
    "mIoU": "mean IoU",
    "Dice": "Dice",
    "HD95": "HD95 (px)",
    "HD95_mm": "HD95 (mm)",
    "boundary_F": "boundary F",
    "empty": "empty",
}
#: Masks of the paper's table (mAP, percent) for the data sets that both know, box then point.
_PUBLISHED = {
    "bus_bra": {"SAM": (68.1, 14.2), "MedSAM": (59.1, 0.0), "UltraSam": (79.1, 67.5)},
    "mmotu_2d": {"SAM": (34.5, 2.1), "MedSAM": (48.8, 0.0), "UltraSam": (79.5, 57.5)},
}


@dataclass(frozen=True)
class Table:
    """A titled table of text.

    Attributes:
        title: above it.
        head: names of the columns.
        rows: cells.
        strong: numbers of the rows that stand out.
        note: below it.
    """

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    strong: Sequence[int] = field(default_factory=list)
    note: str = ""

    def markdown(self) -> str:
        """As Markdown."""
        lines = [f"| {' | '.join(self.head)} |", "|---" * len(self.head) + "|"]
        lines += [f"| {' | '.join(row)} |" for row in self.rows]
        return "\n".join([f"### {self.title}\n", *lines, *([f"\n{self.note}"] if self.note else [])])


def tables(results: Results) -> list[Table]:
    """Every table that an evaluation has."""
    found = [_of_prompt(results, prompt) for prompt in BASELINES if prompt in results["protocol"]["prompts"]]
    if "clicks" in results["protocol"]["prompts"]:
        found.append(_of_clicks(results))
    if results["all"]["calibration"]:
        found.append(_of_calibration(results))
    return found + _of_disturbances(results) + _of_paper(results)


def groups(results: Results) -> Iterator[tuple[str, Results]]:
    """Name and scores of each data set, each organ of several data sets, and all together."""
    for name, part in results["datasets"].items():
        yield (f"{name} ({part['organ']})" if part["organ"] else name), part
    for name, part in results["organs"].items():
        yield f"all of {name}", part
    if len(results["datasets"]) > 1:
        yield "all", results["all"]


def number(name: str, value: float | None) -> str:
    """A score as text: mAP in percent, shares with three digits, lengths with one."""
    if value is None or math.isnan(value):
        return ""
    if name.startswith("mAP"):
        return f"{100 * value:.1f}"
    if name == "empty":
        return f"{value:.0f}"
    return f"{value:.1f}" if name.startswith("HD95") else f"{value:.3f}"


def _of_prompt(results: Results, prompt: str) -> Table:
    columns = dict(_COLUMNS)
    everything = results["all"]["scores"]
    if "HD95_mm" not in everything[prompt]:
        del columns["HD95_mm"]
    answerers = [name for name in (prompt, BASELINES[prompt]) if name in everything]
    rows: list[list[str]] = []
    strong: list[int] = []
    for group, part in groups(results):
        for who in answerers:
            scores = part["scores"][who]
            if who == prompt:
                strong.append(len(rows))
            named = [group, f"{part['objects']}"] if who == prompt else ["", ""]
            rows.append([*named, NAMES[who], *(number(key, scores.get(key)) for key in columns)])
    title = {"box": "Box prompts", "point": "Point prompts"}[prompt]
    what = {"box": "the annotated box", "point": "a click in the middle of the object"}[prompt]
    note = (
        f"One prompt an object: {what}. mAP in percent (COCO, IoU 0.50 to 0.95). HD95 is the 95th percentile "
        "of the distance between the borders; a mask without a pixel (column 'empty') counts the image's "
        "diagonal. Boundary F allows 0.8 % of the diagonal."
    )
    return Table(title, ["data set", "objects", "", *columns.values()], rows, strong, note)


def _of_clicks(results: Results) -> Table:
    last = results["protocol"]["clicks"]
    shown = [k for k in (1, 2, 3, 4, 6, 8) if k <= last]
    head = ["data set", "objects", *(f"IoU, {k} click{'s' * (k > 1)}" for k in shown)]
    head += ["clicks to 0.85", "never", "clicks to 0.90", "never"]
    rows = []
    for group, part in groups(results):
        ious = [number("mIoU", part["scores"][f"click{k}"]["mIoU"]) for k in shown]
        clicks = part["clicks"]
        reached = [f"{clicks['NoC85']:.2f}", f"{100 * clicks['never85']:.1f} %"]
        reached += [f"{clicks['NoC90']:.2f}", f"{100 * clicks['never90']:.1f} %"]
        rows.append([group, f"{part['objects']}", *ious, *reached])
    note = (
        "The first click is in the middle of the object, each further one in the middle of the largest "
        "error, with the last mask fed back. An object that never gets to the IoU counts "
        f"{last} clicks."
    )
    return Table("Clicks", head, rows, [], note)


def _of_calibration(results: Results) -> Table:
    rows = []
    for group, part in groups(results):
        for prompt, fit in part["calibration"].items():
            correlation = fit["correlation"]
            shown = "" if correlation is None or math.isnan(correlation) else f"{correlation:.2f}"
            rows.append([group, prompt, f"{fit['error']:.3f}", f"{fit['bias']:+.3f}", shown])
    note = (
        "Error: mean gap between predicted and real IoU over ten bins. Bias: predicted less real, so that "
        "plus is overconfident."
    )
    return Table("Predicted IoU", ["data set", "prompt", "error", "bias", "correlation"], rows, [], note)


def _of_disturbances(results: Results) -> list[Table]:
    """Mean IoU over all objects, a row for each kind of disturbance and a column for each of its steps."""
    scores = results["all"]["scores"]
    rows: dict[tuple[str, str], list[str]] = {}
    for name, value in scores.items():
        condition = Condition.parse(name)
        if condition.disturbance:
            clean = scores[condition.prompt]["mIoU"]
            row = rows.setdefault((condition.disturbance, condition.prompt), [number("mIoU", clean)])
            row.append(f"{number('mIoU', value['mIoU'])} ({condition.level:g})")
    degradations = results["protocol"]["degradations"]
    found = []
    for title, kinds, note in (
        ("Inexact prompts", {k for k, _ in rows} - set(degradations), "step: share of the object's size"),
        ("Degraded images", set(degradations), "strength: from 0 to 1"),
    ):
        part = [[kind, NAMES_OF_PROMPTS[who], *cells] for (kind, who), cells in rows.items() if kind in kinds]
        if part:
            steps = [f"step {i}" for i in range(1, len(part[0]) - 2)]
            found.append(
                Table(title, ["", "prompt", "none", *steps], part, [], f"Mean IoU of all objects ({note}).")
            )
    return found


def _of_paper(results: Results) -> list[Table]:
    """The paper's own numbers, beside which the ellipse shows how much a box says."""
    rows = []
    for name, models in _PUBLISHED.items():
        if name in results["datasets"]:
            rows += [[name, model, f"{box}", f"{point}"] for model, (box, point) in models.items()]
    note = (
        "Mask mAP in percent from the paper (Meyer et al. 2025), on all images of both data sets at their "
        "original size: other images than above, so an orientation only. An ellipse drawn into the box is as "
        "good as MedSAM on BUS-BRA and better on MMOTU-2D, and box prompts have to be seen in that light."
    )
    head = ["data set", "model", "box", "point"]
    return [Table("What the paper reports", head, rows, [], note)] if rows else []


def comparison(several: Mapping[str, Results]) -> list[Table]:
    """Evaluations side by side: a table for each measure, a column for each evaluation."""
    found = []
    for prompt, key, title in (
        ("box", "mAP", "Box prompts, mAP"),
        ("box", "Dice", "Box prompts, Dice"),
        ("point", "mAP", "Point prompts, mAP"),
        ("point", "Dice", "Point prompts, Dice"),
        ("click4", "mIoU", "4 clicks, mean IoU"),
    ):
        parts = {name: dict(groups(results)) for name, results in several.items()}
        shown = list(dict.fromkeys(group for part in parts.values() for group in part))
        rows = []
        for group in shown:
            values = [
                part.get(group, {}).get("scores", {}).get(prompt, {}).get(key) for part in parts.values()
            ]
            if any(value is not None for value in values):
                rows.append([group, *(number(key, value) for value in values)])
        if rows:
            found.append(Table(title, ["data set", *several], rows))
    return found
