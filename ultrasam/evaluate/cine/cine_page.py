"""An evaluation of following as files: ``cine.json``, ``cine.md`` and a page with tables and curves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ultrasam.data.files import write_json, write_text
from ultrasam.evaluate.cine.clip_scores import LOST, ObjectScores
from ultrasam.evaluate.cine.follow_clips import ClipRecord
from ultrasam.evaluate.cine.ways import WAYS
from ultrasam.report import page
from ultrasam.report.plot import Line, plot
from ultrasam.report.table import Table, as_markdown, fenced

_HEAD = ("way", "J&F", "J", "F", "until loss", "area", "steadiness", "absence seen", "J after return")
_NOTE = (
    "Means over objects of means over frames, in percent, as DAVIS has them: J is IoU, F agreement of the "
    f"outlines. Until loss: share of the frames before the first with J below {LOST}. Area: found over true. "
    "Steadiness: 1 less the difference between how much found and true masks overlap from frame to frame. "
    "Absence seen: share of the frames without the object in which nothing was found."
)
_CURVES = 24


def write_cine_report(
    out: Path, title: str, records: Sequence[ClipRecord], settings: dict[str, Any], command: str
) -> Path:
    """Write everything; returns the HTML page."""
    summary = {
        name: {way: means(rows) for way, rows in ways.items()} for name, ways in groups(records).items()
    }
    write_json(out / "cine.json", {"settings": settings, "command": command, "scores": summary}, indent=1)
    shown = tables(records)
    about = _about(records)
    text = [f"# {as_markdown(title)}", as_markdown(about), *(table.markdown() for table in shown)]
    write_text(out / "cine.md", "\n\n".join([*text, f"Made with\n\n{fenced(command)}"]) + "\n")
    parts: list[page.Part] = [page.paragraph(about), page.curves(curves(records)), *shown]
    settings = {"command": command, **settings}
    return page.write_page(out / "report.html", title, [*parts, _clip_table(records)], settings)


def groups(records: Sequence[ClipRecord]) -> dict[str, dict[str, list[ObjectScores]]]:
    """Data set, and parts of it where it says such -> way -> the scores of all objects."""
    made: dict[str, dict[str, list[ObjectScores]]] = {}
    for record in records:
        names = [record.dataset] + ([f"{record.dataset}: {record.group}"] if record.group else [])
        for name in names:
            ways = made.setdefault(name, {way: [] for way in WAYS})
            for way, rows in record.scores.items():
                ways[way] += rows
    return made


def means(rows: Sequence[ObjectScores]) -> dict[str, float | None]:
    """Every score of several objects, by its column; None where there is nothing to score."""
    j, f = (_mean([_mean(getattr(row, which)) for row in rows]) for which in ("j", "f"))
    scores = {
        "J&F": (j + f) / 2,
        "J": j,
        "F": f,
        "until loss": _mean([row.until_loss / len(row.j) for row in rows]),
        "area": _mean([_mean(row.area) for row in rows]),
        "steadiness": _mean([_mean(row.steady) for row in rows]),
        "absence seen": _mean([float(seen) for row in rows for seen in row.absences]),
        "J after return": _mean([j for row in rows for j in row.after_return]),
    }
    return {name: None if math.isnan(value) else value for name, value in scores.items()}


def tables(records: Sequence[ClipRecord]) -> list[Table]:
    """A table for each data set and each part of it."""
    made: list[Table] = []
    for name, ways in groups(records).items():
        rows = []
        for way, scores in ways.items():
            mean = means(scores)
            rows.append([way, *(_cell(mean[column], column) for column in _HEAD[1:])])
        title = f"{name}, {len(next(iter(ways.values())))} objects"
        made.append(Table(title, _HEAD, rows, strong=[0], note=_NOTE if not made else ""))
    return made


def curves(records: Sequence[ClipRecord]) -> list[str]:
    """For each data set: J&F by frames since the object was given."""
    drawn: list[str] = []
    for name, ways in groups(records).items():
        lines = []
        for way, rows in ways.items():
            longest = max(len(row.j) for row in rows)
            frames = sorted({round(n) for n in np.linspace(0, longest - 1, _CURVES)})
            points = []
            for n in frames:
                there = [(row.j[n] + row.f[n]) / 2 for row in rows if len(row.j) > n]
                points.append((float(n + 1), 100 * _mean(there)))
            lines.append(Line(way, points, dashed=way != "followed"))
        drawn.append(plot(f"J&F, {name}", lines, x_label="frames since the object was given", least=10))
    return [svg for svg in drawn if svg]


def _clip_table(records: Sequence[ClipRecord]) -> Table:
    rows = []
    for record in records:
        cells = [_cell(means(rows_)["J&F"], "J&F") for rows_ in record.scores.values()]
        rows.append([record.name, record.group or record.dataset, *cells])
    return Table("J&F of each clip", ("clip", "of", *WAYS), rows)


def _about(records: Sequence[ClipRecord]) -> str:
    first = next(iter(WAYS))
    objects = sum(len(record.scores[first]) for record in records)
    times = [record.seconds[first] / max(len(record.scores[first]), 1) for record in records]
    return (
        f"{objects} objects in {len(records)} clips. Processor time a frame and object, all told: "
        f"{1000 * float(np.median(times)):.0f} ms (median over clips)."
    )


def _mean(values: Sequence[float]) -> float:
    there = [value for value in values if not math.isnan(value)]
    return float(np.mean(there)) if there else math.nan


def _cell(value: float | None, column: str) -> str:
    if value is None:
        return "-"
    return f"{value:.2f}" if column == "area" else f"{100 * value:.1f}"
