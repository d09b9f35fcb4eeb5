"""Published and measured numbers side by side, as Markdown and as a page."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path

from ultrasam.report import page
from ultrasam.reproduce.reproduce import Outcome, Settings

_HEAD = ("row", "metric", "published", "official", "measured", "tolerance", "verdict")
_EXPLAINED = (
    "Percent. 'official' repeats the publication: the released recipe and post-processing, and for SAM and "
    "MedSAM the released decoder. 'measured' is our recipe, and SAM's and MedSAM's native mode. The verdict "
    "is on 'official', where there is none on 'measured'. The paper states no splits: ours are by patient."
)


def write_report(outcomes: Sequence[Outcome], settings: Settings) -> list[Path]:
    """Write ``report.md`` and ``report.html`` to the output folder."""
    settings.out.mkdir(parents=True, exist_ok=True)
    rows, notes = [], []
    for outcome in outcomes:
        rows += _rows(outcome)
        if outcome.reason:
            notes.append((outcome.row.id, outcome.reason))
    stand_in = f"All rows with the stand-in weights {settings.weights}." if settings.weights else ""
    files = [settings.out / "report.md", settings.out / "report.html"]
    files[0].write_text(_markdown(rows, notes, stand_in), encoding="utf-8")
    parts = ["<h1>The paper's tables, repeated</h1>", f"<p>{_EXPLAINED} {html.escape(stand_in)}</p>"]
    parts += [page.table(_HEAD, rows), f"<h2>Not run: {len(notes)}</h2>"]
    parts += [f"<h3>{html.escape(name)}</h3><pre>{html.escape(text)}</pre>" for name, text in notes]
    files[1].write_text(page.page("UltraSam, reproduced", parts), encoding="utf-8")
    return files


def _rows(outcome: Outcome) -> list[list[str]]:
    row, found = outcome.row, []
    for metric, value in row.expected.items():
        cells = [_cell(outcome, column, metric) for column in ("official", "measured")]
        found.append([row.id, metric, f"{value:.1f}", *cells, f"{row.tolerance:.1f}", outcome.verdict])
    return found


def _cell(outcome: Outcome, column: str, metric: str) -> str:
    run = {str(name): run for name, run in outcome.row.runs.items()}.get(column)
    if run is None:
        return "-"
    numbers = {str(name): values for name, values in outcome.numbers.items()}.get(column)
    text = f"{numbers[metric]:.1f}" if numbers else "not run"
    return f"{text} ({run.note})" if run.note else text


def _markdown(rows: Sequence[Sequence[str]], notes: Sequence[tuple[str, str]], stand_in: str) -> str:
    lines = ["# The paper's tables, repeated", "", _EXPLAINED, *([stand_in] if stand_in else []), ""]
    lines += [f"| {' | '.join(_HEAD)} |", "|---" * len(_HEAD) + "|"]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    lines += ["", f"## Not run: {len(notes)}", ""]
    lines += [f"- `{name}`: {text}" for name, text in notes]
    return "\n".join(lines) + "\n"
