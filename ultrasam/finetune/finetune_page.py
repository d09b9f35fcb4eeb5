"""The table before and after, pictures side by side, and a page with both."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ultrasam.data import coco
from ultrasam.data.images import read_image, write_image
from ultrasam.demo.demo_page import curve, gallery
from ultrasam.evaluate.coco_map import ImageResult, pair_iou
from ultrasam.evaluate.prompting import object_prompts
from ultrasam.prompts.sample import PromptKind
from ultrasam.report.draw import overlay
from ultrasam.report.page import STYLE

Scores = dict[str, dict[Any, dict[str, float]]]

_COLUMNS = {
    "segm_mAP": "mAP",
    "segm_mAP_50": "mAP50",
    "bbox_mAP": "box mAP",
    "mIoU": "mean IoU",
    "Dice": "Dice",
}
_BASELINES = {"box": "ellipse drawn into the box", "point": "region grown from the point"}
_SHOWN = 12


def _rows(scores: Scores) -> list[tuple[str, dict[str, float]]]:
    found = []
    for kind, baseline in _BASELINES.items():
        found += [
            (f"{kind} prompt, before", scores["before"][kind]),
            (f"{kind} prompt, after", scores["after"][kind]),
            (baseline, scores["baseline"][kind]),
        ]
    return found


def format_table(scores: Scores) -> str:
    """Before, after and the baselines as text, in percent."""
    lines = [f"\n{'held-out images, percent':<30}" + "".join(f"{title:>10}" for title in _COLUMNS.values())]
    for title, row in _rows(scores):
        lines.append(f"{title:<30}" + "".join(f"{100 * row[key]:>10.1f}" for key in _COLUMNS))
    lines.append(f"({scores['after']['box']['num_objects']:.0f} objects, one prompt each)")
    return "\n".join(lines)


def draw_pairs(
    items: Sequence[coco.CocoImage],
    before: Sequence[ImageResult],
    after: Sequence[ImageResult],
    kind: PromptKind,
    folder: Path,
) -> None:
    """Pictures of the first images: left before, right after, with prompts and true outlines."""
    for item, *pair in list(zip(items, before, after, strict=True))[:_SHOWN]:
        image, truth = read_image(item.path), item.masks()
        prompts = object_prompts(item, truth, kind)
        sides = []
        for title, result in zip(("before", "after"), pair, strict=True):
            iou = pair_iou(result.masks, result.truth)
            sides.append(
                overlay(
                    image,
                    [coco.decode(mask, item.size, str(item.path)) for mask in result.masks],
                    truth=truth,
                    points=[prompt.points for prompt in prompts],
                    boxes=[prompt.box for prompt in prompts],
                    captions=[f"{title}: Dice {2 * i / (1 + i):.2f}" for i in iou],
                )
            )
        write_image(folder / f"{item.id}_{item.path.stem}.png", np.concatenate(sides, axis=1))


def write_page(out: Path, scores: Scores, losses: Sequence[float], settings: dict[str, Any]) -> None:
    """Write ``out/index.html``: the table, the loss, the pictures."""
    head = "".join(f"<th>{title}</th>" for title in _COLUMNS.values())
    rows = "".join(
        f"<tr class='{'model' if 'after' in title else 'other'}'><td>{title}</td>"
        + "".join(f"<td>{100 * row[key]:.1f}</td>" for key in _COLUMNS)
        + "</tr>"
        for title, row in _rows(scores)
    )
    # Smoothed: the loss of a single batch says more of its objects than of the model.
    width = max(1, len(losses) // 40)
    chunks = [np.array(losses[at : at + width]) for at in range(0, len(losses), width)]
    points = [(width * (n + 1), float(np.nanmean(c))) for n, c in enumerate(chunks) if np.isfinite(c).any()]
    parts = [
        "<!doctype html><html lang='en'><meta charset='utf-8'><title>UltraSam, fine-tuned</title>",
        f"<style>{STYLE}</style><h1>UltraSam, fine-tuned</h1><h2>Held-out images</h2>",
        f"<table><tr><th></th>{head}</tr>{rows}</table>",
        "<p>Percent; mAP is COCO's, over IoU 0.50 to 0.95. One prompt an object. No subject of these images "
        "was trained on.</p><h2>Training</h2>",
        curve(f"loss, means of {width} steps", points),
        *(
            f"<h2>Before and after, {kind} prompts</h2>{gallery(out / f'shown_{kind}')}"
            for kind in _BASELINES
        ),
        "<p>Tint and solid line: predicted mask. White dashes: the true outline. Not a medical device.</p>",
        f"<h2>Settings</h2><pre>{html.escape(json.dumps(settings, indent=1))}</pre></html>",
    ]
    (out / "index.html").write_text("\n".join(parts), encoding="utf-8")
