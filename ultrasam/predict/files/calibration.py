"""The size of an object's pixels, and where it is known from: one rule for every kind of file.

1. The file's calibrated regions (DICOM's ``SequenceOfUltrasoundRegions``). Of the regions that hold all of
   the object the smallest counts. It gives a spacing if it is two-dimensional, in centimeters and with both
   deltas. No length is true in M-mode, Doppler and graphs, across several regions, and outside them.
2. Where no region says anything of lengths: ``PixelSpacing``, or the geometry of a volume.
3. Where the file says nothing: what the user states (``--spacing``).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

#: PhysicalUnitsXDirection of lengths; DICOM gives them in centimeters.
_CENTIMETERS = 3
#: RegionSpatialFormat of two-dimensional images; others are M-mode, spectra, and graphs.
_TWO_DIMENSIONAL = 1


@dataclass(frozen=True)
class Region:
    """A part of the image.

    Attributes:
        box: x1, y1, x2, y2 in pixels, the last row and column included in it.
        spacing: (x, y) mm a pixel; None where no length is true, as in M-mode.
        number: its place in the file's sequence.
    """

    box: tuple[float, float, float, float]
    spacing: tuple[float, float] | None
    number: int = 0


@dataclass(frozen=True)
class Calibration:
    """What is known of an image's spacing; called with a box x1, y1, x2, y2 it gives its spacing.

    Attributes:
        regions: those that say where they are.
        spacing: (x, y) mm a pixel of the whole image.
        source: where that is known from.
    """

    regions: tuple[Region, ...] = ()
    spacing: tuple[float, float] | None = None
    source: str = "none"

    def __call__(self, box: Sequence[float]) -> tuple[float, float] | None:
        """(x, y) mm a pixel for a box, or None."""
        return self.at(box)[0]

    @property
    def known(self) -> bool:
        """Whether the file says anything of lengths, if only that there are none in some place."""
        return bool(self.regions or self.spacing)

    def or_else(self, stated: tuple[float, float] | None) -> Calibration:
        """This one, with the user's spacing where the file says nothing."""
        if stated is None or self.spacing or any(r.spacing for r in self.regions):
            return self
        return replace(self, spacing=stated, source="--spacing")

    def at(self, box: Sequence[float]) -> tuple[tuple[float, float] | None, str]:
        """The spacing that holds for a box, and where it is known from; ``none`` or why not, if it is not."""
        around = [r for r in self.regions if contains(r.box, box)]
        if around:
            region = min(around, key=lambda r: area(r.box))
            inset = any(
                not r.spacing and overlap(r.box, box) and area(r.box) < area(region.box) for r in self.regions
            )
            if region.spacing and not inset:
                return region.spacing, f"ultrasound region {region.number}"
        elif any(r.spacing for r in self.regions):
            return None, "none: not within one ultrasound region"
        if any(overlap(r.box, box) for r in self.regions):
            return None, "none: M-mode, Doppler or a graph"
        return self.spacing, self.source

    def told(self, xywh: Sequence[float]) -> dict[str, Any]:
        """What stands in a result of an object: ``spacing`` if there is one, and ``spacing_source``."""
        x, y, width, height = xywh
        spacing, source = self.at((x, y, x + width, y + height))
        return ({"spacing": list(spacing)} if spacing else {}) | {"spacing_source": source}


def of_dataset(dataset: Any) -> Calibration:
    """What a DICOM file says; values that are missing or damaged are left out."""
    spacing = numbers(get(dataset, "PixelSpacing"), 2)
    if spacing and min(spacing) > 0:
        # DICOM gives the row spacing (y) first.
        return Calibration(tuple(regions(dataset)), (spacing[1], spacing[0]), "PixelSpacing")
    return Calibration(tuple(regions(dataset)))


def regions(dataset: Any) -> list[Region]:
    """A file's regions: calibrated two-dimensional ones, and those of which no length is true.

    Two-dimensional ones that lack their deltas or units, as in anonymized files, are left out.
    """
    found = []
    items = get(dataset, "SequenceOfUltrasoundRegions")
    items = items if isinstance(items, Sequence) and not isinstance(items, str | bytes) else ()
    for number, item in enumerate(items):
        names = ("MinX0", "MinY0", "MaxX1", "MaxY1")
        places = [numbers(get(item, f"RegionLocation{name}"), 1) for name in names]
        form = numbers(get(item, "RegionSpatialFormat"), 1)
        if None in places or form is None:
            continue
        x1, y1, x2, y2 = (place[0] for place in places if place)
        box = (x1, y1, x2 + 1, y2 + 1)
        # 0 is none of the formats: such a region says nothing.
        if form[0] > _TWO_DIMENSIONAL:
            found.append(Region(box, None, number))
        elif form == (_TWO_DIMENSIONAL,) and (spacing := _spacing(item)):
            found.append(Region(box, spacing, number))
    return found


def _spacing(item: Any) -> tuple[float, float] | None:
    """Of a two-dimensional region."""
    units = [numbers(get(item, f"PhysicalUnits{axis}Direction"), 1) for axis in "XY"]
    deltas = [numbers(get(item, f"PhysicalDelta{axis}"), 1) for axis in "XY"]
    if units != [(_CENTIMETERS,)] * 2 or None in deltas or (0.0,) in deltas:
        return None
    dx, dy = (abs(delta[0]) * 10 for delta in deltas if delta)
    return dx, dy


def area(box: Sequence[float]) -> float:
    """Of a box x1, y1, x2, y2."""
    return (box[2] - box[0]) * (box[3] - box[1])


def contains(outer: Sequence[float], inner: Sequence[float]) -> bool:
    """Whether a box x1, y1, x2, y2 holds all of another."""
    return outer[0] <= inner[0] and outer[1] <= inner[1] and outer[2] >= inner[2] and outer[3] >= inner[3]


def overlap(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether two boxes x1, y1, x2, y2 share an area."""
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


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
