"""Sizes over time: ``measures.csv`` of all files, and of each clip a plot and its extremes."""

from __future__ import annotations

import csv
import io
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ultrasam.data import files
from ultrasam.errors import DataError, OutputError
from ultrasam.predict.files.file_records import numbered
from ultrasam.predict.files.sources import Source
from ultrasam.predict.measure import measure
from ultrasam.predict.shape import ellipse, perimeter
from ultrasam.report.plot import Line, plot

COLUMNS = (
    *("file", "frame", "time_s", "object", "unit", "area", "long", "short", "perimeter"),
    *("ellipse_major", "ellipse_minor", "ellipse_circumference", "score"),
    *("spacing_x_mm", "spacing_y_mm", "spacing_source"),
)
CLIP_COLUMNS = (
    *("file", "object", "unit", "frames", "frames_empty", "largest_frame", "largest_area"),
    *("smallest_frame", "smallest_area", "fractional_area_change"),
)


class Measures:
    """A `Product` of ``ultrasam predict``: the run's tables, begun anew, grow by each file.

    Args:
        out: the run's folder, whose masks are measured.
        tracked: whether objects of one number are one object, so
            that curves mean something.
    """

    def __init__(self, out: Path, *, tracked: bool = True) -> None:
        self._out, self._tracked = out, tracked
        self.made: list[str] = []

    def make(self, source: Source, name: str, records: Sequence[dict[str, Any]]) -> None:
        """Measure the masks of a file.

        Raises:
            DataError: a mask can't be read.
            OutputError: the tables can't be written.
        """
        rows = [row for record in records for row in self._rows(record)]
        self._add("measures.csv", COLUMNS, rows)
        if not self._tracked or len(records) < 2 or "frame" not in records[0]["image"]:
            return
        curves: dict[int, list[dict[str, Any]]] = defaultdict(list)
        for row in rows:
            curves[row["object"]].append(row)
        # Frames in which a followed object is lost have no row.
        lost = Counter(number for record in records for number in record["image"].get("lost", ()))
        clips = [_extremes(curve, lost[number]) for number, curve in curves.items()]
        self._add("measures_clips.csv", CLIP_COLUMNS, clips)
        drawing = _plot(source.file_name, curves)
        if drawing:
            files.write_text(self._out / "curves" / f"{name}.svg", drawing)
            self.made.append(f"curves/{name}.svg")

    def _rows(self, record: dict[str, Any]) -> list[dict[str, Any]]:
        image, rows = record["image"], []
        for number, entry in numbered(record):
            path = self._out / entry["mask"]
            mask = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
            if mask is None:
                raise DataError(f"cannot read the mask {path}")
            where = {"file": image["file_name"], "frame": image.get("frame"), "time_s": image.get("time")}
            sizes = _sizes(mask > 0, entry.get("spacing"))
            known = {"score": entry.get("score"), "spacing_source": entry.get("spacing_source")}
            rows.append({**where, "object": number, **sizes, **known})
        return rows

    def _add(self, name: str, columns: Sequence[str], rows: Sequence[dict[str, Any]]) -> None:
        path, text = self._out / name, io.StringIO()
        writer = csv.DictWriter(text, columns, lineterminator="\n")
        if name not in self.made:
            self.made.append(name)
            writer.writeheader()
            files.write_text(path, text.getvalue())
            text.seek(0)
            text.truncate()
        writer.writerows(rows)
        try:
            with path.open("a", encoding="utf-8", newline="") as file:
                file.write(text.getvalue())
        except OSError as error:
            raise OutputError(f"cannot write {path}: {error.strerror or error}") from error


def _sizes(mask: np.ndarray, spacing: Sequence[float] | None) -> dict[str, Any]:
    """In mm where the spacing is known, in pixels otherwise."""
    x, y = spacing or (1.0, 1.0)
    size, fitted = measure(mask, (x, y)), ellipse(mask, (x, y))
    values: dict[str, float | None] = {
        "area": size.area_mm2,
        "long": size.long_mm,
        "short": size.short_mm,
        "perimeter": perimeter(mask, (x, y)),
        "ellipse_major": fitted.major if fitted else None,
        "ellipse_minor": fitted.minor if fitted else None,
        "ellipse_circumference": fitted.circumference if fitted else None,
        "spacing_x_mm": x if spacing else None,
        "spacing_y_mm": y if spacing else None,
    }
    rounded = {name: None if value is None else round(value, 4) for name, value in values.items()}
    return {"unit": "mm" if spacing else "px", **rounded}


def _extremes(curve: Sequence[dict[str, Any]], lost: int) -> dict[str, Any]:
    """The largest and the smallest frame of an object; frames without it are counted and not the smallest.

    Those in which it is lost are without it too.

    Fractional area change is the difference of both areas by the larger, as of a ventricle from end-diastole
    to end-systole (Lang et al., J Am Soc Echocardiogr 2015). Areas of two units can't be compared.
    """
    there = [row for row in curve if row["area"]]
    units = {row["unit"] for row in there}
    found: dict[str, Any] = {
        "file": curve[0]["file"],
        "object": curve[0]["object"],
        "frames": len(curve) + lost,
    }
    found["frames_empty"] = len(curve) + lost - len(there)
    if len(units) != 1:
        return found | {"unit": "mixed" if units else None}
    largest, smallest = max(there, key=_area), min(there, key=_area)
    return found | {
        "unit": units.pop(),
        "largest_frame": largest["frame"],
        "largest_area": largest["area"],
        "smallest_frame": smallest["frame"],
        "smallest_area": smallest["area"],
        "fractional_area_change": round(1 - smallest["area"] / largest["area"], 4),
    }


def _area(row: dict[str, Any]) -> float:
    return float(row["area"])


def _plot(title: str, curves: dict[int, list[dict[str, Any]]]) -> str:
    """The area of each object by time, or by frame where times are not known."""
    rows = [row for curve in curves.values() for row in curve]
    units = {row["unit"] for row in rows}
    if len(units) != 1:
        return ""
    timed = all(row["time_s"] is not None for row in rows)
    lines = [
        Line(f"object {number}", [(row["time_s"] if timed else row["frame"], row["area"]) for row in curve])
        for number, curve in curves.items()
    ]
    square = "mm²" if units == {"mm"} else "pixels"
    return plot(f"{title}: area in {square}", lines, x_label="seconds" if timed else "frame")
