"""Files of one picture each that are one cine together: a DICOM series, in instance order."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ultrasam.errors import DataError
from ultrasam.predict.files import dicom, dicom_header
from ultrasam.predict.files.calibration import get, numbers


@dataclass(frozen=True)
class Instance:
    """A file of one frame, and what of it says where it belongs."""

    path: Path
    series: str
    number: float
    size: tuple[int, int]


def find(paths: Sequence[Path]) -> list[list[Instance]]:
    """The series of at least two single-frame files of one folder among files, each in instance order.

    Files that can't be read belong to none.
    """
    found: dict[tuple[Path, str], list[Instance]] = defaultdict(list)
    for path in paths:
        instance = _instance(path)
        if instance is not None:
            found[path.parent, instance.series].append(instance)
    return [sorted(each, key=_order) for each in found.values() if len(each) > 1]


def _order(instance: Instance) -> tuple[float, str]:
    return instance.number, instance.path.name


def _instance(path: Path) -> Instance | None:
    header = dicom_header.read_header(path)
    if header is None:
        return None
    values = [numbers(get(header, name), 1) for name in ("Rows", "Columns")]
    count = numbers(get(header, "NumberOfFrames"), 1) or (1.0,)
    series, number = get(header, "SeriesInstanceUID"), numbers(get(header, "InstanceNumber"), 1)
    if not series or number is None or None in values or count[0] > 1:
        return None
    height, width = (int(value[0]) for value in values if value)
    return Instance(path, str(series), number[0], (height, width))


def clips(paths: Sequence[Path]) -> Iterator[tuple[int, dicom.Clip]]:
    """The files of a series as `ultrasam.predict.files.dicom.Clip`, with the number of their frame.

    Raises:
        DataError: after those that can be read, which files can't, or are of another size than most.
    """
    sizes: Counter[Any] = Counter()
    for path in paths:
        header = dicom_header.read_header(path)
        sizes[_shape(header)] += 1
    common = sizes.most_common(1)[0][0]
    errors = []
    for number, path in enumerate(paths):
        try:
            clip = dicom.open_clip(path)
        except DataError as error:
            errors.append(f"frame {number}: {error}")
            continue
        if (shape := _shape(clip.dataset)) != common:
            errors.append(
                f"frame {number}: {path} has {shape[1]} x {shape[0]} pixels where its series has "
                f"{common[1]} x {common[0]}"
            )
            continue
        yield number, clip
    if errors:
        raise DataError("; ".join(errors))


def _shape(header: Any) -> tuple[Any, Any]:
    return (get(header, "Rows"), get(header, "Columns")) if header is not None else (None, None)
