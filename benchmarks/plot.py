"""Bars of a report's comparisons as an SVG file: medians, with a line from the least to the largest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from statistics import median
from typing import Any

WIDTH, LABEL, BAR, LINE = 760, 250, 360, 24
OURS, PEER = "#1f77b4", "#b8bec6"


def svg(title: str, comparisons: Sequence[Mapping[str, Any]]) -> str:
    """One group of bars for each comparison, each on a scale of its own."""
    parts, y = [_text(12, 26, title, weight="bold", size=16)], 56
    for comparison in comparisons:
        parts.append(_text(12, y, f"{comparison['title']} ({comparison['unit']})", weight="bold"))
        most = max(max(values) for values in comparison["samples"].values())
        for name, values in comparison["samples"].items():
            y += LINE
            parts += _bar(y, name, values, BAR / most, OURS if name == comparison["ours"] else PEER)
        y += LINE + 20
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" font-family="sans-serif">'
    return "\n".join([head, f'<rect width="{WIDTH}" height="{y}" fill="white"/>', *parts, "</svg>\n"])


def _bar(y: int, name: str, values: Sequence[float], scale: float, colour: str) -> list[str]:
    middle, low, high = (LABEL + scale * v for v in (median(values), min(values), max(values)))
    return [
        _text(LABEL - 8, y, name, anchor="end"),
        f'<rect x="{LABEL}" y="{y - 13}" width="{middle - LABEL:.1f}" height="17" fill="{colour}"/>',
        f'<path d="M{low:.1f} {y - 4.5}H{high:.1f}" stroke="#222" stroke-width="1.5"/>',
        _text(LABEL + BAR + 12, y, number(median(values))),
    ]


def _text(x: int, y: int, text: str, *, anchor: str = "start", weight: str = "normal", size: int = 13) -> str:
    return (
        f'<text x="{x}" y="{y}" font-size="{size}" font-weight="{weight}" '
        f'text-anchor="{anchor}">{escape(text)}</text>'
    )


def number(value: float) -> str:
    """Three figures, without powers of ten where it can be."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
