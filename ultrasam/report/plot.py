"""Plots as SVG, for a page or alone."""

from __future__ import annotations

import html
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from ultrasam.report.draw import COLORS

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 480, 280, 52, 12, 28, 40


@dataclass(frozen=True)
class Line:
    """One line of a plot.

    Attributes:
        name: shown in the legend.
        points: x, y.
        dashed: for what the others are compared with.
    """

    name: str
    points: Sequence[tuple[float, float]]
    dashed: bool = False


def plot(title: str, lines: Sequence[Line], *, x_label: str = "", least: float = 0.0) -> str:
    """A line plot as SVG, usable alone too; a plotting library would be the page's largest dependency.

    Args:
        title: above the plot.
        lines: a dashed one has the color of the solid one before it.
        x_label: below the axis.
        least: smallest extent of the y axis, so that small differences look small.
    """
    points = [point for line in lines for point in line.points if math.isfinite(point[1])]
    if not points:
        return ""
    places = sorted({x for x, _ in points})
    apart = min((b - a for a, b in itertools.pairwise(places)), default=0.0)
    few = apart >= (places[-1] - places[0]) / 16
    x_ticks = places if few else _ticks(places[0], places[-1])
    lowest, highest = min(y for _, y in points), max(y for _, y in points)
    middle = (lowest + highest) / 2
    y_ticks = _ticks(min(lowest, middle - least / 2), max(highest, middle + least / 2))
    legend = 16 * ((len(lines) + 1) // 2) if len(lines) > 1 else 0
    frame = _Frame(x_ticks, y_ticks)
    body, color = [svg_text(_LEFT, 16, title, size=13), frame.axes(x_label)], -1
    for number, line in enumerate(lines):
        color += 0 if line.dashed and number else 1
        body.append(_line(line, _hex(color), frame))
        if legend:
            x, y = _LEFT + (number % 2) * 215, _HEIGHT + 12 + 16 * (number // 2)
            body.append(f"<path d='M{x} {y - 4}h22' {_stroke(line, _hex(color))}/>")
            body.append(svg_text(x + 28, y, line.name))
    return svg(title, _WIDTH, _HEIGHT + legend, body)


def curve(title: str, points: Sequence[tuple[float, float]]) -> str:
    """A plot of one score or loss by training step; empty without points."""
    return plot(f"{title}, last {points[-1][1]:.3g}", [Line("", points)], x_label="step") if points else ""


def svg(title: str, width: int, height: int, parts: Sequence[str]) -> str:
    """A drawing with a white ground, which a page's style takes away."""
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {height}' font-family='sans-serif' "
        f"role='img' aria-label='{html.escape(title, quote=True)}'>"
        + "\n".join(
            [f"<rect class='paper' width='{width}' height='{height}' fill='white'/>", *parts, "</svg>"]
        )
    )


def svg_text(
    x: float, y: float, text: str, anchor: str = "start", *, size: int = 11, bold: bool = False
) -> str:
    """A line of text whose anchor (start, middle, end) is at a place."""
    look = f"font-size='{size}'" + (" font-weight='bold'" if bold else "")
    return f"<text x='{x:.1f}' y='{y:.1f}' text-anchor='{anchor}' {look}>{html.escape(text)}</text>"


class _Frame:
    """Data to places in the drawing."""

    def __init__(self, x_ticks: Sequence[float], y_ticks: Sequence[float]) -> None:
        self.x_ticks, self.y_ticks = x_ticks, y_ticks

    def place(self, x: float, y: float) -> tuple[float, float]:
        def share(value: float, ticks: Sequence[float]) -> float:
            return (value - ticks[0]) / ((ticks[-1] - ticks[0]) or 1)

        width, height = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
        return _LEFT + width * share(x, self.x_ticks), _HEIGHT - _BOTTOM - height * share(y, self.y_ticks)

    def axes(self, x_label: str) -> str:
        parts, right = [], _WIDTH - _RIGHT
        for y in self.y_ticks:
            at = self.place(self.x_ticks[0], y)[1]
            parts.append(
                f"<line x1='{_LEFT}' y1='{at:.1f}' x2='{right}' y2='{at:.1f}' class='rule' stroke='#ddd'/>"
            )
            parts.append(svg_text(_LEFT - 6, at + 4, f"{y:.4g}", "end"))
        for x in self.x_ticks:
            at = self.place(x, self.y_ticks[0])[0]
            parts.append(svg_text(at, _HEIGHT - _BOTTOM + 16, f"{x:.4g}", "middle"))
        return "".join(parts) + svg_text((_LEFT + _WIDTH) / 2, _HEIGHT - 8, x_label, "middle")


def _line(line: Line, color: str, frame: _Frame) -> str:
    places = [frame.place(x, y) for x, y in line.points if math.isfinite(y)]
    route = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    dots = "".join(f"<circle cx='{x:.1f}' cy='{y:.1f}' r='2.5' fill='{color}'/>" for x, y in places)
    return f"<polyline points='{route}' {_stroke(line, color)}/>{dots}"


def _stroke(line: Line, color: str) -> str:
    return f"fill='none' stroke='{color}' stroke-width='2'" + (
        " stroke-dasharray='5 4'" if line.dashed else ""
    )


def _hex(number: int) -> str:
    # Blue first; yellow, which is hard to see on white, last.
    order = (1, 0, 2, 4, 5, 3)
    red, green, blue = COLORS[order[number % len(order)]]
    darker = 0.8 if number < len(order) else 0.5
    return f"#{round(red * darker):02x}{round(green * darker):02x}{round(blue * darker):02x}"


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers, at most eight, from just below a range to just above it."""
    span = max(high - low, abs(high) * 0.02) or 1.0
    power = 10.0 ** math.floor(math.log10(span / 6))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor * 6 >= span)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [k * step for k in range(first, max(last, first + 1) + 1)]
