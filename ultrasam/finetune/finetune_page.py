"""The table before and after, pictures side by side, and a page with both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ultrasam.data import coco
from ultrasam.data.images import read_image, write_image
from ultrasam.evaluate.coco_map import ImageResult
from ultrasam.evaluate.metrics import iou_to_dice, rle_iou
from ultrasam.evaluate.prompting import central_points
from ultrasam.evaluate.protocol import BASELINES
from ultrasam.prompts.sample import PromptKind
from ultrasam.report import page
from ultrasam.report.draw import LEGEND, beside, overlay
from ultrasam.report.plot import curve
from ultrasam.report.score_table import score_table
from ultrasam.report.table import Table

#: ``before``, ``after`` or ``baseline`` -> kind of prompt -> scores of `ultrasam.evaluate.coco_map.evaluate`.
Scores = dict[str, dict[Any, dict[str, float]]]
_SHOWN = 12


def finetune_table(scores: Scores) -> Table:
    """Before, after and the baselines."""
    rows = []
    for prompt, baseline in BASELINES.items():
        rows += [
            (f"{prompt} prompt, {when}", scores[when][prompt], when == "after")
            for when in ("before", "after")
        ]
        rows.append((baseline.title, scores["baseline"][prompt], False))
    return score_table(rows, "No subject of these images was trained on.")


def draw_pairs(
    items: Sequence[coco.CocoImage],
    before: Sequence[ImageResult],
    after: Sequence[ImageResult],
    kind: PromptKind,
    folder: Path,
) -> None:
    """Pictures of the first images: left before, right after, with prompts and true outlines."""
    for item, *pair in list(zip(items, before, after, strict=True))[:_SHOWN]:
        image, targets = read_image(item.path), item.masks()
        sides, titles = [], []
        for when, result in zip(("before", "after"), pair, strict=True):
            dice = iou_to_dice(rle_iou(result.predictions, result.targets))
            titles.append(f"{when}: {'mean ' * (len(dice) > 1)}Dice {dice.mean():.2f}")
            sides.append(
                overlay(
                    image,
                    [coco.decode(mask, item.size, str(item.path)) for mask in result.predictions],
                    targets=targets,
                    boxes=list(item.boxes()) if kind == "box" else (),
                    points=list(central_points(targets)) if kind == "point" else (),
                    captions=[f"Dice {d:.2f}" for d in dice] if len(dice) > 1 else (),
                )
            )
        write_image(folder / f"{item.id}_{item.path.stem}.png", beside(sides, titles))


def write_page(
    out: Path,
    scores: Scores,
    losses: Sequence[float],
    shown: Mapping[PromptKind, Path],
    advice: str,
    settings: dict[str, Any],
) -> Path:
    """Write ``out/index.html``: the table, the loss, the pictures.

    Args:
        out: the folder.
        scores: before, after, and of the baselines.
        losses: of each step.
        shown: kind of prompt -> folder of the pictures that `draw_pairs` made.
        advice: what to make of the scores.
        settings: what the run was made with.
    """
    # Smoothed: the loss of a single batch says more of its objects than of the model.
    width = max(1, len(losses) // 40)
    chunks = [np.array(losses[at : at + width]) for at in range(0, len(losses), width)]
    points = [(width * (n + 1), float(np.nanmean(c))) for n, c in enumerate(chunks) if np.isfinite(c).any()]
    loss = curve("loss" if width == 1 else f"loss, means of {width} steps", points)
    parts: list[page.Part] = [finetune_table(scores), page.paragraph(advice)]
    parts += [page.heading("Training"), page.curves([loss])]
    for kind, folder in shown.items():
        files = sorted(folder.glob("*.png"))
        parts += [page.heading(f"Before and after, {kind} prompts"), page.gallery(files, "pairs")]
    return page.write_page(
        out / "index.html", "UltraSam, fine-tuned", [*parts, page.paragraph(LEGEND)], settings
    )
