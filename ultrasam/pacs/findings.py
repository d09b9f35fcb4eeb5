"""What was segmented, object by object and frame by frame: what a DICOM object is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ultrasam.data import images
from ultrasam.errors import DataError
from ultrasam.predict.files.file_records import numbered
from ultrasam.predict.quality import Quality
from ultrasam.predict.segmentation import Segmentation

#: What of a record a report tells.
_SIZES = ("area_mm2", "long_mm", "short_mm")


@dataclass(frozen=True)
class Finding:
    """One object in one frame.

    Attributes:
        frame: of the clip, from 0; 0 in a still.
        object: number from 1; one number is one object in all frames.
        name: its category.
        read: gives its mask (H, W) bool; clips are written without all masks in memory.
        score: predicted IoU.
        sizes: ``area_mm2``, ``long_mm`` and ``short_mm`` where the spacing is known, as
            `ultrasam.predict.measure.Measurement.as_dict` gives them.
        quality: predicted quality, or None where nobody predicts it.
    """

    frame: int
    object: int
    name: str
    read: Callable[[], np.ndarray] = field(repr=False, compare=False)
    score: float
    sizes: Mapping[str, float] = field(default_factory=dict)
    quality: float | None = None


def findings(
    prediction: Segmentation,
    names: Sequence[str] | str = "object",
    frame: int = 0,
    spacing: tuple[float, float] | None = None,
    quality: Quality | None = None,
) -> list[Finding]:
    """The objects of one image.

    Args:
        prediction: of the predictor.
        names: category of each object, or of all.
        frame: of the clip, from 0.
        spacing: (x, y) mm a pixel.
        quality: of the prediction, from `ultrasam.predict.quality.assess`.

    Raises:
        DataError: there are not as many names as objects.
    """
    names = [names] * len(prediction) if isinstance(names, str) else list(names)
    if len(names) != len(prediction):
        raise DataError(f"{len(prediction)} objects have {len(names)} names: give one to each")
    sizes = prediction.measurements(spacing)
    masks = prediction.masks
    return [
        Finding(
            frame,
            i + 1,
            name,
            partial(_same, masks[i]),
            float(prediction.scores[i]),
            sizes[i].as_dict(),
            None if quality is None else float(quality.quality[i]),
        )
        for i, name in enumerate(names)
    ]


def from_records(
    out: Path, records: Sequence[Mapping[str, Any]], categories: Mapping[Any, str], *, linked: bool
) -> list[Finding]:
    """The objects that a run over files has kept of one file.

    Args:
        out: the run's folder.
        records: of the file's frames.
        categories: names by id.
        linked: the n-th objects of all frames are one object, as prompted; else, unless they carry a
            ``track_id``, each is its own.
    """
    numbers: dict[Any, int] = {}
    found = []
    for record in records:
        frame = record["image"].get("frame", 0)
        for number, entry in numbered(record):
            key = number if linked or "track_id" in entry else (frame, number)
            found.append(
                Finding(
                    frame,
                    numbers.setdefault(key, len(numbers) + 1),
                    str(categories.get(entry["category_id"], entry["category_id"])),
                    partial(_read, out / entry["mask"]),
                    entry["score"],
                    {k: entry[k] for k in _SIZES if k in entry},
                    entry.get("quality"),
                )
            )
    return found


def _same(mask: np.ndarray) -> np.ndarray:
    return mask


def _read(path: Path) -> np.ndarray:
    return images.read_samples(path) > 0
