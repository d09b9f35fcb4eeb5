"""How a training run went, from its logs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple


class History(NamedTuple):
    """Records of a run in order of their ``step``.

    Attributes:
        train: losses, learning rate and so on, of every logged step.
        val: the validations' scores.
    """

    train: list[dict[str, float]]
    val: list[dict[str, float]]


def read_history(work_dir: Path) -> History:
    """Read the records of a work directory.

    A run that was resumed has several logs; a step that two of them hold counts as in the last.
    """
    train: dict[float, dict[str, float]] = {}
    val: dict[float, dict[str, float]] = {}
    for path in sorted(work_dir.glob("*/vis_data/scalars.json")):
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            (train if "loss" in row else val)[row["step"]] = row
    return History(*([rows[step] for step in sorted(rows)] for rows in (train, val)))
