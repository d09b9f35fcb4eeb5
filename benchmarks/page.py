"""The results page: what the JSON files of a folder say, and nothing else."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from ultrasam.report.table import Table

from .plot import number

HEAD = """# Benchmarks

Each figure was measured beside its peers, in one process and in turns; the ratio is the median of the rounds'
ratios, and the spread goes from the least to the largest. `ultrasam bench NAME` repeats a section,
`ultrasam bench` all; `ultrasam bench --out {out} --page {page}` writes this page from the
JSON files of the runs. Processors differ in what they are good at: look at the ratios, and at your own.
"""


def write_page(results: Path, page: Path, names: Sequence[str]) -> None:
    """Write a Markdown page of the results in a folder; runs of small sizes (``--quick``) are left out."""
    reports = [json.loads(path.read_text()) for name in names if (path := results / f"{name}.json").is_file()]
    reports = [report for report in reports if not report["quick"]]
    folder = Path(os.path.relpath(results, page.parent)).as_posix()
    parts = [HEAD.format(out=results.as_posix(), page=page.as_posix())]
    parts += [_section(report, folder, results) for report in reports]
    page.write_text("\n".join(parts), encoding="utf-8")
    print(f"{page}: {len(reports)} of {len(names)} benchmarks")


def _section(report: Mapping[str, Any], folder: str, results: Path) -> str:
    parts = [f"## {report['name']}: {report['title']}"]
    parts += [_table(comparison).markdown() for comparison in report["comparisons"]]
    facts = []
    for fact in report["facts"]:
        goal = f" (goal: {fact['wanted']})" if fact["wanted"] else ""
        facts.append(f"- {fact['title']}: **{fact['value']}**{goal}{_mark(fact['met'])}")
    parts += ["\n".join(facts)] if facts else []
    if (results / f"{report['name']}.svg").is_file():
        parts.append(f"![{report['title']}]({folder}/{report['name']}.svg)")
    about = [f"{key} {value}" for source in ("machine", "versions") for key, value in report[source].items()]
    return "\n\n".join([*parts, f"<sub>{report['date']}: {'; '.join(about)}</sub>\n"])


def _table(comparison: Mapping[str, Any]) -> Table:
    rows = []
    for name, values in comparison["samples"].items():
        ratio, goal = comparison["ratios"].get(name), comparison["goals"].get(name)
        cells = [f"**{name}**" if name == comparison["ours"] else name, number(median(values))]
        cells.append(f"{number(min(values))} to {number(max(values))}")
        cells.append("" if ratio is None else f"{ratio:.2f}x{_mark(ratio >= goal if goal else None)}")
        rows.append([*cells, f"{goal:g}x" if goal else ""])
    head = ["", f"median, {comparison['unit']}", "spread", "ours is better by", "goal"]
    return Table(comparison["title"], head, rows)


def _mark(met: bool | None) -> str:
    return "" if met is None else ", met" if met else ", **missed**"
