"""SonoBase's way of asking (arXiv 2609.19230): inexact prompts, three seeds, corrected with some clicks.

Each side of a box is moved by up to a tenth of the box, at most 20 pixels of an image whose longest side is
1024; a point is any of the object's. Each is then corrected by clicks in the middle of the largest error.
Dice is averaged over objects (micro) and over data sets (macro).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ultrasam.evaluate.protocol import SONOBASE, SONOBASE_CLICKS, SONOBASE_SEEDS, Condition
from ultrasam.evaluate.results import Results
from ultrasam.report.table import Table

#: Most that a side of a box moves: as a share of the box, and in pixels of an image of 1024.
BOX_SHARE, BOX_PIXELS, SIDE = 0.1, 20.0, 1024


def noised_box(box: NDArray[Any], shape: tuple[int, int], rng: np.random.Generator) -> NDArray[Any]:
    """A box (4,) xyxy with each side moved, inside the image (H, W) and never empty."""
    most = np.minimum(BOX_SHARE * np.tile(box[2:] - box[:2], 2), BOX_PIXELS * max(shape) / SIDE)
    moved = box + rng.uniform(-1, 1, 4) * most
    limit = np.array(shape[::-1], dtype=np.float64)
    low = moved[:2].clip(0, limit - 1)
    return np.concatenate([low, np.maximum(moved[2:].clip(0, limit), low + 1)])


def sonobase_table(results: Results) -> Table:
    """Dice of each data set after each number of clicks, and both means; mean and spread of the seeds."""
    rows = []
    for prompt in results.protocol.single:
        names = {clicks: f"{prompt}+{clicks}" if clicks else prompt for clicks in SONOBASE_CLICKS}
        columns = {
            clicks: [
                [part.scores[Condition(name, SONOBASE, seed)].dice for part in results.datasets.values()]
                for seed in SONOBASE_SEEDS
            ]
            for clicks, name in names.items()
        }
        for number, dataset in enumerate(results.datasets):
            rows.append([dataset, prompt, *(_spread([s[number] for s in c]) for c in columns.values())])
        micro = [
            _spread([results.overall.scores[Condition(name, SONOBASE, seed)].dice for seed in SONOBASE_SEEDS])
            for name in names.values()
        ]
        rows.append(["macro", prompt, *(_spread([float(np.mean(s)) for s in c]) for c in columns.values())])
        rows.append(["micro", prompt, *micro])
    note = (
        "Dice after so many clicks: mean of three seeds (their range). Sides of boxes are moved by up to a "
        "tenth of the box, at most 20 pixels at 1024; points are any of the object's. Macro is the mean of "
        "the data sets, micro that of all objects."
    )
    return Table("SonoBase's protocol", ["data set", "prompt", *map(str, SONOBASE_CLICKS)], rows, note=note)


def _spread(values: list[float]) -> str:
    return f"{np.mean(values):.3f} ({max(values) - min(values):.3f})"
