"""Published and measured numbers side by side, as Markdown and as a page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ultrasam.data.files import write_text
from ultrasam.report import page
from ultrasam.report.table import Table, as_markdown
from ultrasam.reproduce.reproduce import Outcome, Settings

_HEAD = ("row", "metric", "published", "official", "measured", "tolerance", "verdict")
_EXPLAINED = (
    "Percent. 'official' repeats the publication: the released recipe and post-processing, and for SAM and "
    "MedSAM the released decoder. 'measured' is our recipe, and SAM's and MedSAM's native mode. The verdict "
    "is on 'official', where there is none on 'measured'. The paper states no splits: ours are by patient."
)


def write_report(outcomes: Sequence[Outcome], settings: Settings) -> list[Path]:
    """Write ``report.md`` and ``report.html`` to the output folder."""
    rows, notes = [], []
    for outcome in outcomes:
        rows += _rows(outcome)
        if outcome.reason:
            notes.append((outcome.row.id, outcome.reason))
    title, table = "The paper's tables, repeated", Table("", _HEAD, rows)
    about = [_EXPLAINED]
    if settings.weights:
        about.append(f"All rows with the stand-in weights {settings.weights}.")
    listed = "\n".join(f"- {as_markdown(name)}: {as_markdown(text)}" for name, text in notes)
    markdown = [f"# {title}", *map(as_markdown, about), table.markdown(), f"## Not run: {len(notes)}", listed]
    files = [settings.out / "report.md", settings.out / "report.html"]
    write_text(files[0], "\n\n".join(markdown) + "\n")
    parts: list[page.Part] = [*map(page.paragraph, about), table, page.heading(f"Not run: {len(notes)}")]
    parts += [part for name, text in notes for part in (page.heading(name, 3), page.preformatted(text))]
    page.write_page(files[1], title, parts)
    return files


def _rows(outcome: Outcome) -> list[list[str]]:
    row, rows = outcome.row, []
    for metric, value in row.expected.items():
        cells = [_cell(outcome, column, metric) for column in ("official", "measured")]
        rows.append([row.id, metric, f"{value:.1f}", *cells, f"{row.tolerance:.1f}", outcome.verdict])
    return rows


def _cell(outcome: Outcome, column: str, metric: str) -> str:
    run = {str(name): run for name, run in outcome.row.runs.items()}.get(column)
    if run is None:
        return "-"
    numbers = {str(name): values for name, values in outcome.numbers.items()}.get(column)
    text = f"{numbers[metric]:.1f}" if numbers else "not run"
    return f"{text} ({run.note})" if run.note else text
