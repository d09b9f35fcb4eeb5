"""The demo's table and its one HTML page: curves, table, examples, all in one file."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ultrasam.report import page
from ultrasam.report.plot import Line, plot

if TYPE_CHECKING:
    from ultrasam.mm.engine.history import History

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
    history: History,
    shown: Sequence[Path],
    settings: dict[str, Any],
) -> None:
    """Write the page.

    Args:
        path: where to.
        scores: of the model and the baselines, by kind of prompt.
        history: how training went.
        shown: folders of overlays, boxes first.
        settings: what the run was made with.
    """
    losses = [(row["step"], row["loss"]) for row in history.train]
    maps = [(row["step"], 100 * row["coco/segm_mAP"]) for row in history.val]
    parts = [
        "<h1>UltraSam, trained here</h1>",
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
        f"<h2>Settings</h2><pre>{html.escape(json.dumps(settings, indent=1))}</pre>",
    ]
    path.write_text(page.page("UltraSam demo", parts), encoding="utf-8")


def _table(scores: Scores) -> str:
    rows = [
        [title, *(f"{100 * scores[who][kind][key]:.1f}" for key in _COLUMNS)] for title, who, kind in _ROWS
    ]
    strong = [number for number, (_, who, _) in enumerate(_ROWS) if who == "model"]
    return page.table(["", *_COLUMNS.values()], rows, strong)


def curve(title: str, points: Sequence[tuple[float, float]]) -> str:
    """A score or loss by training step; empty without points."""
    if not points:
        return ""
    return plot(f"{title} by step, last {points[-1][1]:.3g}", [Line("", points)])


def gallery(folder: Path) -> str:
    """The first pictures of a folder, inside the page itself."""
    shown = sorted(folder.glob("*.png"))[:_EXAMPLES]
    return page.grid([page.embed(path.read_bytes(), "png", path.stem) for path in shown])
