"""The curves of an evaluation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ultrasam.evaluate.examine import Record
from ultrasam.evaluate.protocol import BOX_NOISE, POINT_NOISE, Condition
from ultrasam.evaluate.scores import values
from ultrasam.evaluate.tables import NAMES_OF_PROMPTS, Results
from ultrasam.report.plot import Line, plot


def plots(results: Results, records: Sequence[Record]) -> dict[str, str]:
    """Name -> SVG of everything that the protocol has."""
    found = {
        "overlap": _overlap(results, records),
        "clicks": _clicks(results),
        "calibration": _calibration(results),
        "noise": _noise(results),
        "degraded-box": _degraded(results, "box"),
        "degraded-point": _degraded(results, "point"),
    }
    return {name: svg for name, svg in found.items() if svg}


def _overlap(results: Results, records: Sequence[Record]) -> str:
    """How many objects reach an IoU."""
    levels = np.linspace(0.5, 1, 26)
    lines = []
    for name in ("box", "ellipse", "point", "region"):
        if name in results["all"]["scores"]:
            iou = values(records, name, "iou")
            share = [(float(level), float((iou >= level).mean())) for level in levels]
            lines.append(Line(NAMES_OF_PROMPTS[name], share, dashed=name in ("ellipse", "region")))
    title = "share of objects with at least this IoU"
    return plot(title, lines, x_label="IoU", least=1)


def _clicks(results: Results) -> str:
    if "clicks" not in results["protocol"]["prompts"]:
        return ""
    count = results["protocol"]["clicks"]
    several = {**results["datasets"], **({"all": results["all"]} if len(results["datasets"]) > 1 else {})}
    lines = [
        Line(name, [(k, part["scores"][f"click{k}"]["mIoU"]) for k in range(1, count + 1)])
        for name, part in several.items()
    ]
    return plot("mean IoU by number of clicks", lines, x_label="clicks", least=0.1)


def _calibration(results: Results) -> str:
    fits = results["all"]["calibration"]
    if not fits:
        return ""
    lines = [Line("as it should be", [(0, 0), (1, 1)], dashed=True)]
    lines += [
        Line(f"{prompt}, error {fit['error']:.3f}", [b[:2] for b in fit["bins"]])
        for prompt, fit in fits.items()
    ]
    return plot("real IoU by predicted IoU", lines, x_label="predicted IoU")


def _noise(results: Results) -> str:
    scores = results["all"]["scores"]
    lines = []
    for kind in (*BOX_NOISE, *POINT_NOISE):
        for who in ("box", "ellipse", "point"):
            points = _steps(results, who, kind)
            if points:
                start = (0.0, scores[who]["mIoU"])
                lines.append(
                    Line(f"{NAMES_OF_PROMPTS[who]}, {kind}", [start, *points], dashed=who == "ellipse")
                )
    return plot(
        "mean IoU with inexact prompts", lines, x_label="error, share of the object's size", least=0.1
    )


def _degraded(results: Results, prompt: str) -> str:
    scores = results["all"]["scores"]
    lines = [
        Line(kind, [(0.0, scores[prompt]["mIoU"]), *_steps(results, prompt, kind)])
        for kind in results["protocol"]["degradations"]
        if prompt in scores
    ]
    return plot(f"mean IoU on degraded images, {prompt} prompts", lines, x_label="strength", least=0.1)


def _steps(results: Results, prompt: str, kind: str) -> list[tuple[float, float]]:
    named = [(Condition.parse(name), value) for name, value in results["all"]["scores"].items()]
    return [(c.level, v["mIoU"]) for c, v in named if (c.prompt, c.disturbance) == (prompt, kind)]
