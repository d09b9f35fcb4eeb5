"""What an audit of converted data sets found, as a page: near-duplicates side by side, what else leaks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ultrasam.data.images import read_image
from ultrasam.report import page
from ultrasam.report.table import Table

_SHOWN = 60
_PICTURE_WIDTH = 220
_EXPLAINED = (
    "Every image was compared with those of other splits and of other data sets, as it is and mirrored; a "
    "pair counts once its fine structure agrees. Of each subject it was checked that all its images are in "
    "one split."
)


def write_audit_page(path: Path, findings: Mapping[str, Any], files: Mapping[tuple[str, str], Path]) -> Path:
    """Write the page.

    Args:
        path: the HTML file.
        findings: the content of ``audit.json``.
        files: data set and file name -> image file.
    """
    pairs, subjects, unread = (findings[k] for k in ("pairs", "subjects_on_two_sides", "unreadable"))
    parts: list[page.Part] = [_checked(findings["checked"])]
    if not (pairs or subjects or unread):
        parts.append(page.paragraph("Nothing was found: no near-duplicates, no subject in two splits."))
    if pairs:
        shown = pairs[:_SHOWN]
        best = (
            f"The {len(shown)} that agree best."
            if len(shown) < len(pairs)
            else "Those that agree best first."
        )
        parts += [page.heading(f"{len(pairs)} near-duplicate pairs"), page.paragraph(best)]
        parts.append(page.grid((_pair(pair, files) for pair in shown), "pairs"))
    for title, lines in (("subjects in two splits", subjects), ("unreadable images", unread)):
        if lines:
            parts += [page.heading(f"{len(lines)} {title}"), page.preformatted("\n".join(lines))]
    return page.write_page(path, "Audit for near-duplicates", parts)


def _checked(counts: Mapping[str, Mapping[str, int]]) -> Table:
    splits = sorted({split for sides in counts.values() for split in sides}, key=_place)
    rows = [[name, *(str(sides.get(split, 0)) for split in splits)] for name, sides in counts.items()]
    total = sum(sum(sides.values()) for sides in counts.values())
    head = ["data set", *(split or "no split" for split in splits)]
    return Table(f"Checked: {total} images", head, rows, note=_EXPLAINED)


def _place(split: str) -> tuple[int, str]:
    usual = ("train", "val", "test")
    return (usual.index(split) if split in usual else len(usual), split)


def _pair(pair: Mapping[str, Any], files: Mapping[tuple[str, str], Path]) -> str:
    ends = (pair["first"], pair["second"])
    figures = [
        page.picture(
            read_image(files[end["dataset"], end["file_name"]]),
            f"{end['dataset']}, {end['split'] or 'no split'}: {end['file_name']}",
            _PICTURE_WIDTH,
        )
        for end in ends
    ]
    mirrored = f", mirrored: {pair['mirrored']}" if pair["mirrored"] else ""
    return page.beside(figures, f"agreement {pair['score']:.3f}{mirrored}")
