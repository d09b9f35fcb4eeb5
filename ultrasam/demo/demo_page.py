"""The demo's table and its one HTML page: curves, table, examples, all in one file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ultrasam.evaluate.protocol import BASELINES
from ultrasam.report import page
from ultrasam.report.draw import LEGEND
from ultrasam.report.plot import curve
from ultrasam.report.score_table import score_table
from ultrasam.report.table import Table

if TYPE_CHECKING:
    from ultrasam.mm.engine.history import History

#: ``model`` or ``baseline`` -> kind of prompt -> the scores of `ultrasam.evaluate.coco_map.evaluate`.
Scores = dict[str, dict[str, dict[str, float]]]
_EXAMPLES = 12


def demo_table(scores: Scores) -> Table:
    """The model with each kind of prompt, and the baseline that has the same prompt and no network."""
    rows = []
    for prompt, baseline in BASELINES.items():
        rows.append((f"UltraSam, {prompt} prompt", scores["model"][prompt], True))
        rows.append((baseline.title, scores["baseline"][prompt], False))
    return score_table(rows)


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
    curves = [curve("training loss", losses), curve("validation mAP (%), point prompts", maps)]
    parts: list[page.Part] = [demo_table(scores), page.heading("Training"), page.curves(curves)]
    for folder, prompt in zip(shown, BASELINES, strict=True):
        examples = sorted(folder.glob("*.png"))[:_EXAMPLES]
        parts += [page.heading(f"Examples, {prompt} prompts"), page.gallery(examples)]
    page.write_page(path, "UltraSam, trained here", [*parts, page.paragraph(LEGEND)], settings)
