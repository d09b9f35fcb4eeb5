"""The demo's table and its one HTML page: curves, table, examples, all in one file."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

Scores = dict[str, dict[str, dict[str, float]]]

_COLUMNS = {
    "segm_mAP": "mAP",
    "segm_mAP_50": "mAP50",
    "bbox_mAP": "box mAP",
    "mIoU": "mean IoU",
    "Dice": "Dice",
}
_ROWS = (
    ("UltraSam, box prompt", "model", "box"),
    ("ellipse drawn into the box", "baseline", "box"),
    ("UltraSam, point prompt", "model", "point"),
    ("region grown from the point", "baseline", "point"),
)
_EXAMPLES = 12
STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; }
th, td { padding: .3rem .8rem; text-align: right; border-bottom: 1px solid #ccc; }
th:first-child, td:first-child { text-align: left; } tr.model td { font-weight: 600; }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(16rem, 1fr)); gap: .8rem; }
figure { margin: 0; } img { width: 100%; } figcaption { font-size: .8rem; color: #555; }
svg { width: 100%; max-width: 34rem; height: auto; } .curves { display: flex; flex-wrap: wrap; gap: 1rem; }
"""


def format_table(scores: Scores) -> str:
    """The four rows as text, in percent."""
    lines = [f"\n{'held-out images, percent':<30}" + "".join(f"{title:>10}" for title in _COLUMNS.values())]
    for title, who, kind in _ROWS:
        row = scores[who][kind]
        lines.append(f"{title:<30}" + "".join(f"{100 * row[key]:>10.1f}" for key in _COLUMNS))
    lines.append(f"({scores['model']['box']['num_objects']:.0f} objects, one prompt each)")
    return "\n".join(lines)


def write_page(
    path: Path,
    scores: Scores,
    log: Sequence[dict[str, float]],
    shown: Sequence[Path],
    settings: dict[str, Any],
) -> None:
    """Write the page.

    Args:
        path: where to.
        scores: of the model and the baselines, by kind of prompt.
        log: the training log's records.
        shown: folders of overlays, boxes first.
        settings: what the run was made with.
    """
    losses = [(row["step"], row["loss"]) for row in log if "loss" in row]
    maps = [(row["step"], 100 * row["coco/segm_mAP"]) for row in log if "coco/segm_mAP" in row]
    parts = [
        "<!doctype html><html lang='en'><meta charset='utf-8'><title>UltraSam demo</title>",
        f"<style>{STYLE}</style><h1>UltraSam, trained here</h1>",
        "<h2>Held-out images</h2>",
        _table(scores),
        "<p>Percent; mAP is COCO's, over IoU 0.50 to 0.95. One prompt an object: its box, or a click in its "
        "middle. The two baselines use the same prompts and no network.</p>",
        "<h2>Training</h2><div class='curves'>",
        curve("training loss", losses),
        curve("validation mAP (%), point prompts", maps),
        "</div>",
    ]
    for folder, kind in zip(shown, ("box", "point"), strict=True):
        parts += [f"<h2>Examples, {kind} prompts</h2>", gallery(folder)]
    parts += [
        "<p>Tint and solid line: predicted mask. White dashes: the true outline. Not a medical device.</p>",
        f"<h2>Settings</h2><pre>{html.escape(json.dumps(settings, indent=1))}</pre></html>",
    ]
    path.write_text("\n".join(parts), encoding="utf-8")


def _table(scores: Scores) -> str:
    head = "".join(f"<th>{title}</th>" for title in _COLUMNS.values())
    rows = "".join(
        f"<tr class='{who}'><td>{title}</td>"
        + "".join(f"<td>{100 * scores[who][kind][key]:.1f}</td>" for key in _COLUMNS)
        + "</tr>"
        for title, who, kind in _ROWS
    )
    return f"<table><tr><th></th>{head}</tr>{rows}</table>"


def curve(title: str, points: Sequence[tuple[float, float]]) -> str:
    """A line plot as SVG; a plotting library would be the largest dependency of the page."""
    if not points:
        return ""
    width, height, left, bottom, top = 480, 260, 48, 32, 28
    xs, ys = [p[0] for p in points], [p[1] for p in points]
    x_max, y_max = max(xs), max([*ys, 1e-9]) * 1.05

    def place(x: float, y: float) -> tuple[float, float]:
        return left + (width - left - 12) * x / x_max, height - bottom - (height - bottom - top) * y / y_max

    line = " ".join(f"{px:.1f},{py:.1f}" for px, py in (place(x, y) for x, y in points))
    dots = "".join(
        f"<circle cx='{px:.1f}' cy='{py:.1f}' r='2.5' fill='#0072b2'/>"
        for px, py in (place(x, y) for x, y in points)
    )
    ticks = ""
    for share in (0, 0.25, 0.5, 0.75, 1):
        py, px = place(0, share * y_max)[1], place(share * x_max, 0)[0]
        ticks += f"<line x1='{left}' y1='{py:.1f}' x2='{width - 12}' y2='{py:.1f}' stroke='#ddd'/>"
        ticks += f"<text x='{left - 6}' y='{py + 4:.1f}' text-anchor='end'>{share * y_max:.3g}</text>"
        ticks += f"<text x='{px:.1f}' y='{height - 12}' text-anchor='middle'>{share * x_max:.0f}</text>"
    return (
        f"<svg viewBox='0 0 {width} {height}' font-size='11' role='img' aria-label='{title}'>"
        f"<text x='{left}' y='16' font-size='13'>{title} by step, last {ys[-1]:.3g}</text>{ticks}"
        f"<polyline points='{line}' fill='none' stroke='#0072b2' stroke-width='2'/>{dots}</svg>"
    )


def gallery(folder: Path) -> str:
    """The first pictures of a folder, inside the page itself."""
    figures = ""
    for path in sorted(folder.glob("*.png"))[:_EXAMPLES]:
        data = base64.b64encode(path.read_bytes()).decode("ascii")
        image = f"<img alt='overlay' src='data:image/png;base64,{data}'>"
        figures += f"<figure>{image}<figcaption>{path.stem}</figcaption></figure>"
    return f"<div class='grid'>{figures}</div>"
