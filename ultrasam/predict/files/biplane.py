"""The volumes of bodies that two files show in two planes."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ultrasam.data import files, images
from ultrasam.errors import DataError
from ultrasam.predict.files.file_records import numbered
from ultrasam.predict.files.sources import Source
from ultrasam.predict.shape import discs_volume

COLUMNS = (
    *("object", "file", "other_file", "largest_frame", "largest_other_frame", "largest_ml"),
    *("smallest_frame", "smallest_other_frame", "smallest_ml", "fractional_volume_change"),
    *("spacing_source", "other_spacing_source"),
)
_TABLE = "biplane.csv"


@dataclass(frozen=True)
class _Cut:
    """An object in a frame: its place in the clip (None in a still), its area in mm², its mask's file."""

    frame: int | None
    area: float
    mask: Path
    spacing: tuple[float, float]
    source: str


@dataclass(frozen=True)
class _Plane:
    """One of the two files: the frames in which each object is seen, and why objects can't be measured."""

    name: str
    cuts: Mapping[int, Sequence[_Cut]]
    wrong: Mapping[int, str]


class Biplane:
    """A `Product` of ``ultrasam predict``: ``biplane.csv``, with the volumes of objects of two files.

    Both show the same bodies, in two planes at right angles along their long axes, such as the left ventricle
    in views of four and of two chambers; objects of one number belong together. The volume is that of
    `discs_volume`. Of clips the largest and the smallest frame of each plane count, as at end-diastole and
    end-systole (Lang et al., J Am Soc Echocardiogr 2015); fractional volume change is the difference of both
    volumes by the larger, of a ventricle its ejection fraction.

    Args:
        out: the run's folder, whose masks are measured.

    Attributes:
        made: names of what was written, in the run's folder.
    """

    def __init__(self, out: Path) -> None:
        self._out = out
        self._planes: list[_Plane] = []
        self.made: list[str] = []

    def make(self, source: Source, name: str, records: Sequence[dict[str, Any]]) -> None:
        """Take one plane; with the second one, write the table.

        Raises:
            DataError: the volume of an object is not known; those of the others are written.
            OutputError: the table can't be written.
        """
        self._planes.append(_plane(self._out, source.file_name, records))
        if len(self._planes) < 2:
            return
        one, other = self._planes
        both = [number for number in one.cuts if number in other.cuts]
        text = io.StringIO()
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(_row(number, one, other) for number in both)
        files.write_text(self._out / _TABLE, text.getvalue())
        self.made.append(_TABLE)
        wrong = [*one.wrong.values(), *other.wrong.values()]
        alone = sorted({*one.cuts, *other.cuts} - {*both, *one.wrong, *other.wrong})
        wrong += [f"object {number} is seen in one of the planes alone" for number in alone]
        if wrong:
            raise DataError(f"volumes of two planes: {'; '.join(wrong)}")

    def lacks(self) -> str | None:
        """Why there is no table, if so."""
        if self.made:
            return None
        seen = f"of {self._planes[0].name} alone" if self._planes else "of neither file"
        return f"{_TABLE} is not written: there are results {seen}, a volume takes both planes"


def _plane(out: Path, name: str, records: Sequence[Mapping[str, Any]]) -> _Plane:
    cuts: dict[int, list[_Cut]] = defaultdict(list)
    wrong: dict[int, str] = {}
    for record in records:
        for number, entry in numbered(record):
            if not entry["area"]:
                continue
            source, spacing = entry["spacing_source"], entry.get("spacing")
            if spacing is None:
                wrong[number] = f"the size of pixels at object {number} of {name} is not known ({source})"
                continue
            x, y = spacing
            mask = out / entry["mask"]
            cuts[number].append(_Cut(record["image"].get("frame"), entry["area_mm2"], mask, (x, y), source))
    # A frame without a size could be the largest one.
    return _Plane(name, {n: c for n, c in cuts.items() if n not in wrong}, wrong)


def _row(number: int, one: _Plane, other: _Plane) -> dict[str, Any]:
    planes = [one.cuts[number], other.cuts[number]]
    first, second = (max(cuts, key=_area) for cuts in planes)
    largest = _milliliters(first, second)
    row: dict[str, Any] = {
        "object": number,
        "file": one.name,
        "other_file": other.name,
        "largest_frame": first.frame,
        "largest_other_frame": second.frame,
        "largest_ml": round(largest, 4),
        "spacing_source": first.source,
        "other_spacing_source": second.source,
    }
    # A still has no other phase.
    if any(len(cuts) == 1 for cuts in planes):
        return row
    first, second = (min(cuts, key=_area) for cuts in planes)
    smallest = _milliliters(first, second)
    return row | {
        "smallest_frame": first.frame,
        "smallest_other_frame": second.frame,
        "smallest_ml": round(smallest, 4),
        "fractional_volume_change": round(1 - smallest / largest, 4),
    }


def _milliliters(one: _Cut, other: _Cut) -> float:
    masks = [images.read_samples(cut.mask) > 0 for cut in (one, other)]
    return discs_volume(masks[0], masks[1], one.spacing, other.spacing) / 1000


def _area(cut: _Cut) -> float:
    return cut.area
