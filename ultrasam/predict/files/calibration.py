"""What ultrasound DICOM says of the size of its pixels; values that are missing or damaged are left out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

#: PhysicalUnitsXDirection of lengths; DICOM gives them in centimeters.
_CENTIMETERS = 3
#: RegionSpatialFormat of two-dimensional images; others are spectra, M-mode and graphs.
_TWO_DIMENSIONAL = 1


@dataclass(frozen=True)
class Region:
    """A calibrated part of the image.

    Attributes:
        box: x1, y1, x2, y2 in pixels, the last row and column included in it.
        spacing: (x, y) mm a pixel.
    """

    box: tuple[float, float, float, float]
    spacing: tuple[float, float]


def regions(dataset: Any) -> list[Region]:
    """The calibrated two-dimensional regions of a file."""
    found = []
    items = get(dataset, "SequenceOfUltrasoundRegions")
    for item in items if isinstance(items, Sequence) and not isinstance(items, str | bytes) else ():
        units = [numbers(get(item, f"PhysicalUnits{axis}Direction"), 1) for axis in "XY"]
        form = numbers(get(item, "RegionSpatialFormat"), 1)
        if form != (_TWO_DIMENSIONAL,) or units != [(_CENTIMETERS,)] * 2:
            continue
        names = ("MinX0", "MinY0", "MaxX1", "MaxY1")
        places = [numbers(get(item, f"RegionLocation{name}"), 1) for name in names]
        deltas = [numbers(get(item, f"PhysicalDelta{axis}"), 1) for axis in "XY"]
        # Anonymizing leaves some of them empty.
        if None in places or None in deltas or (0.0,) in deltas:
            continue
        x1, y1, x2, y2 = (place[0] for place in places if place)
        dx, dy = (abs(delta[0]) * 10 for delta in deltas if delta)
        found.append(Region((x1, y1, x2 + 1, y2 + 1), (dx, dy)))
    return found


def contains(outer: Sequence[float], inner: Sequence[float]) -> bool:
    """Whether a box x1, y1, x2, y2 holds all of another."""
    return outer[0] <= inner[0] and outer[1] <= inner[1] and outer[2] >= inner[2] and outer[3] >= inner[3]


def get(dataset: Any, name: str) -> Any:
    """A value, or None where it is absent or no value of its kind, which pydicom finds out on access."""
    try:
        return dataset.get(name)
    except Exception:  # pydicom's errors have no base of their own
        return None


def numbers(value: Any, count: int) -> tuple[float, ...] | None:
    """So many finite numbers, or None where it is anything else."""
    values = value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
    try:
        found = tuple(float(v) for v in values)
    except (TypeError, ValueError):
        return None
    return found if len(found) == count and all(map(math.isfinite, found)) else None
