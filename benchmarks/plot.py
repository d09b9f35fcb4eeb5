"""Bars of a report's comparisons as an SVG file: medians, with a line from the least to the largest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from textwrap import wrap
from typing import Any

from ultrasam.report.plot import svg, svg_text

WIDTH, LABEL, BAR, LINE = 760, 250, 360, 24
OURS, PEER = "#1f77b4", "#b8bec6"


def bars(title: str, comparisons: Sequence[Mapping[str, Any]]) -> str:
    """One group of bars for each comparison, each on a scale of its own."""
    parts, y = [], 6
    for line in wrap(title, 84):
        y += 20
        parts.append(svg_text(12, y, line, bold=True, size=16))
    y += 30
    for comparison in comparisons:
        parts.append(svg_text(12, y, f"{comparison['title']} ({comparison['unit']})", bold=True, size=13))
        most = max(max(values) for values in comparison["samples"].values())
        for name, values in comparison["samples"].items():
            y += LINE
            parts += _bar(y, name, values, BAR / most, OURS if name == comparison["ours"] else PEER)
        y += LINE + 20
    return svg(title, WIDTH, y, parts) + "\n"


def _bar(y: int, name: str, values: Sequence[float], scale: float, color: str) -> list[str]:
    middle, low, high = (LABEL + scale * v for v in (median(values), min(values), max(values)))
    return [
        svg_text(LABEL - 8, y, name, "end", size=13),
        f"<rect x='{LABEL}' y='{y - 13}' width='{middle - LABEL:.1f}' height='17' fill='{color}'/>",
        f"<path d='M{low:.1f} {y - 4.5}H{high:.1f}' stroke='#222' stroke-width='1.5'/>",
        svg_text(LABEL + BAR + 12, y, number(median(values)), size=13),
    ]


def number(value: float) -> str:
    """Three figures, without powers of ten where it can be."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
