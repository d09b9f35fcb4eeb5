"""The curves of an evaluation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ultrasam.evaluate.protocol import BASELINES, BOX_NOISE, POINT_NOISE, Condition
from ultrasam.evaluate.records import Record, pooled
from ultrasam.evaluate.results import Results
from ultrasam.report.plot import Line, plot

_BASELINES = [baseline.name for baseline in BASELINES.values()]


def plots(results: Results, records: Sequence[Record]) -> dict[str, str]:
    """Name -> SVG of everything that the protocol has."""
    drawn = {
        "overlap": _overlap(results, records),
        "clicks": _clicks(results),
        "calibration": _calibration(results),
        "noise": _noise(results),
        **{f"degraded-{prompt}": _degraded(results, prompt) for prompt in results.protocol.single},
    }
    return {name: svg for name, svg in drawn.items() if svg}


def _overlap(results: Results, records: Sequence[Record]) -> str:
    """How many objects reach an IoU."""
    levels = np.linspace(0.5, 1, 26)
    lines = []
    for prompt in results.protocol.single:
        for who in results.protocol.answerers(prompt):
            iou = pooled(records, Condition(who)).iou
            share = [(float(level), float((iou >= level).mean())) for level in levels]
            lines.append(Line(Condition(who).title, share, dashed=who in _BASELINES))
    return plot("share of objects with at least this IoU", lines, x_label="IoU", least=1)


def _clicks(results: Results) -> str:
    several = {**results.datasets, **({"all": results.overall} if len(results.datasets) > 1 else {})}
    lines = [
        Line(name, [(k, part.scores[c].mean_iou) for k, c in enumerate(results.protocol.session, start=1)])
        for name, part in several.items()
    ]
    return plot("mean IoU by number of clicks", lines, x_label="clicks", least=0.1)


def _calibration(results: Results) -> str:
    fits = results.overall.calibration
    lines = [Line("as it should be", [(0, 0), (1, 1)], dashed=True)]
    lines += [
        Line(f"{prompt}, error {fit.error:.3f}", [b[:2] for b in fit.bins]) for prompt, fit in fits.items()
    ]
    return plot("real IoU by predicted IoU", lines, x_label="predicted IoU") if fits else ""


def _noise(results: Results) -> str:
    lines = []
    for kind in (*BOX_NOISE, *POINT_NOISE):
        for who in ("box", BASELINES["box"].name, "point"):
            points = _steps(results, who, kind)
            if len(points) > 1:
                lines.append(Line(f"{Condition(who).title}, {kind}", points, dashed=who in _BASELINES))
    return plot(
        "mean IoU with inexact prompts", lines, x_label="error, share of the object's size", least=0.1
    )


def _degraded(results: Results, prompt: str) -> str:
    lines = [Line(kind, _steps(results, prompt, kind)) for kind in results.protocol.degradations]
    return plot(f"mean IoU on degraded images, {prompt} prompts", lines, x_label="strength", least=0.1)


def _steps(results: Results, who: str, kind: str) -> list[tuple[float, float]]:
    """Mean IoU by level of a disturbance, from the undisturbed on."""
    return [
        (condition.level, scores.mean_iou)
        for condition, scores in results.overall.scores.items()
        if condition.prompt == who and condition.disturbance in ("", kind)
    ]
