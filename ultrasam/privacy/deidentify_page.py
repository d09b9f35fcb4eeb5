"""What was done to files, for the one who keeps both: it shows and names what was taken out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ultrasam.data.files import write_json
from ultrasam.privacy.attributes import EDITION
from ultrasam.privacy.deidentify import Outcome
from ultrasam.report import page
from ultrasam.report.table import Table

#: So many files are shown with their pictures.
_SHOWN = 60


def write_report(folder: Path, outcomes: Sequence[Outcome]) -> Path:
    """Write ``report.json`` and ``report.html``; the page's path.

    Args:
        folder: not the one of the new files, since names of patients can be seen in the report.
        outcomes: of each file.
    """
    write_json(folder / "report.json", [outcome.as_dict() for outcome in outcomes], indent=1)
    written = [outcome for outcome in outcomes if outcome.written]
    parts: list[page.Part] = [
        page.paragraph(
            f"{len(written)} of {len(outcomes)} files written, by the basic application confidentiality "
            f"profile (DICOM PS3.15 {EDITION}), with all blanked that lies outside the scan sector. Keep "
            "this page with the sources: it shows what was taken out."
        ),
        page.heading("Files"),
        _table(outcomes),
        page.heading("Before and after"),
    ]
    shown = [outcome for outcome in outcomes if outcome.before is not None]
    for outcome in shown[:_SHOWN]:
        if outcome.before is None:
            continue
        pictures = [page.picture(outcome.before, "before")]
        if outcome.after is not None:
            pictures.append(page.picture(outcome.after, "after" if outcome.written else "refused"))
        parts.append(page.beside(pictures, f"{outcome.source}: {outcome.reason or outcome.written}"))
    if len(shown) > _SHOWN:
        parts.append(page.paragraph(f"The pictures of the other {len(shown) - _SHOWN} files are left out."))
    return page.write_page(folder / "report.html", "De-identified files", parts)


def _table(outcomes: Sequence[Outcome]) -> Table:
    rows = []
    for outcome in outcomes:
        shape = "" if outcome.agreement is None else f"{outcome.sector} ({outcome.agreement:.2f})"
        share = "" if outcome.blanked is None else f"{100 * outcome.blanked:.1f} %"
        removed = str(sum(outcome.actions.values())) if outcome.actions else ""
        said = "; ".join([*([outcome.reason] if outcome.reason else []), *outcome.remarks])
        rows.append(
            [
                outcome.source,
                outcome.written or "refused",
                shape,
                share,
                outcome.burned_in or "not said",
                removed,
                said,
            ]
        )
    head = [
        "source",
        "written as",
        "sector (agreement)",
        "blanked",
        "burned-in annotation",
        "header elements changed",
        "remarks",
    ]
    return Table("", head, rows)
