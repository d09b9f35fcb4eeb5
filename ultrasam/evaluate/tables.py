"""The numbers of an evaluation as tables of text, for the HTML report and for Markdown."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from ultrasam.evaluate.paper_tables import prompted_map
from ultrasam.evaluate.protocol import BASELINES, SONOBASE, Condition
from ultrasam.evaluate.results import GroupScores, Results, Scores
from ultrasam.evaluate.sonobase import sonobase_table
from ultrasam.report.table import Table


def percent(value: float | None) -> str:
    """An average precision as text."""
    return "" if value is None else f"{100 * value:.1f}"


def share(value: float | None) -> str:
    """An overlap, or another share of 1, as text."""
    return "" if value is None else f"{value:.3f}"


def _length(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"


_COLUMNS: dict[str, Callable[[Scores], str]] = {
    "mAP": lambda scores: percent(scores.map),
    "mAP50": lambda scores: percent(scores.map50),
    "mean IoU": lambda scores: share(scores.mean_iou),
    "Dice": lambda scores: share(scores.dice),
    "HD95 (px)": lambda scores: _length(scores.hd95),
    "HD95 (mm)": lambda scores: _length(scores.hd95_mm),
    "boundary F": lambda scores: share(scores.boundary_f),
    "empty": lambda scores: f"{scores.empty:.0f}",
}
#: What evaluations are compared by.
_COMPARED: tuple[tuple[str, Condition, Callable[[Scores], str]], ...] = (
    ("Box prompts, mAP", Condition("box"), _COLUMNS["mAP"]),
    ("Box prompts, Dice", Condition("box"), _COLUMNS["Dice"]),
    ("Point prompts, mAP", Condition("point"), _COLUMNS["mAP"]),
    ("Point prompts, Dice", Condition("point"), _COLUMNS["Dice"]),
    ("4 clicks, mean IoU", Condition("click4"), _COLUMNS["mean IoU"]),
)
#: Models of the paper's table 1, without those trained for one organ's absence.
_PAPER = {"sam": "SAM", "medsam": "MedSAM", "ultrasam": "UltraSam"}


def tables(results: Results) -> list[Table]:
    """Every table that an evaluation has."""
    shown = [_of_prompt(results, prompt) for prompt in results.protocol.single]
    if results.protocol.session:
        shown.append(_of_clicks(results))
    if results.overall.calibration:
        shown.append(_of_calibration(results))
    if results.protocol.sonobase:
        shown.append(sonobase_table(results))
    return shown + _of_disturbances(results) + _of_paper(results)


def _of_prompt(results: Results, prompt: str) -> Table:
    overall = results.overall.scores[Condition(prompt)]
    columns = {name: show for name, show in _COLUMNS.items() if name != "HD95 (mm)" or show(overall)}
    rows: list[list[str]] = []
    strong: list[int] = []
    for group, part in results.groups():
        for who in results.protocol.answerers(prompt):
            scores = part.scores[Condition(who)]
            if who == prompt:
                strong.append(len(rows))
                named = [group, f"{part.objects}", "UltraSam"]
            else:
                named = ["", "", BASELINES[prompt].title]
            rows.append([*named, *(show(scores) for show in columns.values())])
    title = {"box": "Box prompts", "point": "Point prompts"}[prompt]
    what = {"box": "the annotated box", "point": "a click in the middle of the object"}[prompt]
    note = (
        f"One prompt an object: {what}. mAP in percent (COCO, IoU 0.50 to 0.95). HD95 is the 95th percentile "
        "of the distance between the borders; a mask without a pixel (column 'empty') counts the image's "
        "diagonal. Boundary F allows 0.8 % of the diagonal."
    )
    return Table(title, ["data set", "objects", "", *columns], rows, strong, note)


def _of_clicks(results: Results) -> Table:
    last = results.protocol.clicks
    shown = [k for k in (1, 2, 3, 4, 6, 8) if k <= last]
    head = ["data set", "objects", *(f"IoU, {k} click{'s' * (k > 1)}" for k in shown)]
    head += [title for level in results.overall.clicks for title in (f"clicks to {level / 100:.2f}", "never")]
    rows = []
    for group, part in results.groups():
        row = [
            group,
            f"{part.objects}",
            *(share(part.scores[Condition(f"click{k}")].mean_iou) for k in shown),
        ]
        for needed in part.clicks.values():
            row += [f"{needed.mean:.2f}", f"{100 * needed.never:.1f} %"]
        rows.append(row)
    note = (
        "The first click is in the middle of the object, each further one in the middle of the largest "
        "error, with the last mask fed back. An object that never gets to the IoU counts "
        f"{last} clicks."
    )
    return Table("Clicks", head, rows, note=note)


def _of_calibration(results: Results) -> Table:
    rows = []
    for group, part in results.groups():
        for prompt, fit in part.calibration.items():
            correlation = "" if math.isnan(fit.correlation) else f"{fit.correlation:.2f}"
            rows.append([group, prompt, f"{fit.error:.3f}", f"{fit.bias:+.3f}", correlation])
    note = (
        "Error: mean gap between predicted and real IoU over ten bins. Bias: predicted less real, so that "
        "plus is overconfident."
    )
    return Table("Predicted IoU", ["data set", "prompt", "error", "bias", "correlation"], rows, note=note)


def _of_disturbances(results: Results) -> list[Table]:
    """Mean IoU over all objects, a row for each kind of disturbance and a column for each of its steps."""
    scores = results.overall.scores
    rows: dict[tuple[str, str], list[str]] = {}
    for condition, value in scores.items():
        if condition.disturbance and condition.disturbance != SONOBASE:
            clean = Condition(condition.prompt)
            row = rows.setdefault(
                (condition.disturbance, condition.prompt),
                [condition.disturbance, condition.title, share(scores[clean].mean_iou)],
            )
            row.append(f"{share(value.mean_iou)} ({condition.level:g})")
    degradations = results.protocol.degradations
    shown = []
    for title, degraded, note in (
        ("Inexact prompts", False, "step: share of the object's size"),
        ("Degraded images", True, "strength: from 0 to 1"),
    ):
        part = [cells for (kind, _), cells in rows.items() if (kind in degradations) == degraded]
        if part:
            steps = [f"step {i}" for i in range(1, len(part[0]) - 2)]
            head = ["", "prompt", "none", *steps]
            shown.append(Table(title, head, part, note=f"Mean IoU of all objects ({note})."))
    return shown


def _of_paper(results: Results) -> list[Table]:
    """The paper's own numbers, beside which the ellipse shows how much a box says."""
    rows = []
    for name in results.datasets:
        published = prompted_map(name)
        for model, title in _PAPER.items():
            if model in published:
                rows.append([name, title, *(f"{published[model][prompt]}" for prompt in BASELINES)])
    note = (
        "Mask mAP in percent from the paper (Meyer et al. 2025), on all images of these data sets at their "
        "original size: other images than above, so an orientation only. An ellipse drawn into the box is as "
        "good as MedSAM on BUS-BRA and better on MMOTU-2D, and box prompts have to be seen in that light."
    )
    head = ["data set", "model", *BASELINES]
    return [Table("What the paper reports", head, rows, note=note)] if rows else []


def comparison(several: Mapping[str, Results]) -> list[Table]:
    """Evaluations side by side: a table for each measure, a column for each evaluation."""
    parts: dict[str, dict[str, GroupScores]] = {name: dict(r.groups()) for name, r in several.items()}
    groups = list(dict.fromkeys(group for part in parts.values() for group in part))
    shown = []
    for title, condition, show in _COMPARED:
        rows = []
        for group in groups:
            scores = [part[group].scores.get(condition) if group in part else None for part in parts.values()]
            if any(score is not None for score in scores):
                rows.append([group, *("" if score is None else show(score) for score in scores)])
        if rows:
            shown.append(Table(title, ["data set", *several], rows))
    return shown
