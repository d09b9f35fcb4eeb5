"""Labels of whole images, from a COCO file or a table (CSV), with errors that name the line."""

from __future__ import annotations

import csv
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from ultrasam.data import coco
from ultrasam.errors import ConfigError, DataError

#: One class an image; any number of classes an image; numbers.
Task = Literal["single-label", "multi-label", "regression"]
#: Between the labels of one image in a table.
SEPARATOR = "|"


@dataclass(frozen=True)
class Sample:
    """One labeled image.

    Attributes:
        path: the image file.
        clip: the video or examination whose frames are scored together; the file's name where there is none.
        target: (C,) float32: 0 and 1 for C classes, or the C values of a regression.
        id: the image's id in a COCO file, its row in a table.
    """

    path: Path
    clip: str
    target: np.ndarray
    id: int


@dataclass
class LabelTable:
    """The labeled images of one split.

    Attributes:
        source: the file they come from.
        task: what the labels are.
        names: classes, or the names of the values.
        samples: in the file's order.
        notes: what was left out or decided -> how often.
    """

    source: Path
    task: Task
    names: tuple[str, ...]
    samples: list[Sample]
    notes: Counter[str] = field(default_factory=Counter)

    @property
    def targets(self) -> np.ndarray:
        """(N, C) float32."""
        return np.stack([sample.target for sample in self.samples])

    def summary(self) -> str:
        """One line: what is in it, and what was left out."""
        if self.task == "regression":
            lows, highs = self.targets.min(0), self.targets.max(0)
            parts = [f"{n} {low:g} to {high:g}" for n, low, high in zip(self.names, lows, highs, strict=True)]
        else:
            counts = self.targets.sum(axis=0).astype(int)
            parts = [f"{n} {name}" for n, name in zip(counts, self.names, strict=True)]
        text = f"{self.source}: {len(self.samples)} images: {', '.join(parts)}"
        if self.notes:
            text += "; " + ", ".join(f"{n} {reason}" for reason, n in sorted(self.notes.items()))
        return text

    def empty_classes(self) -> list[str]:
        """Classes that no image has."""
        if self.task == "regression":
            return []
        return [name for name, n in zip(self.names, self.targets.sum(axis=0), strict=True) if n == 0]

    def check_trainable(self) -> None:
        """Refuse what nothing can be learned from.

        Raises:
            DataError: a single image, a class without images, or a value that never varies.
        """
        if len(self.samples) < 2:
            raise DataError(f"{self.source} has one image; training takes two or more")
        empty = self.empty_classes()
        if empty:
            raise DataError(
                f"{self.source} has no image of {', '.join(empty)}: nothing can be learned about it. Add "
                "images, move some from another split, or take the class out of 'classes'"
            )
        if self.task == "regression":
            constant = [n for n, std in zip(self.names, self.targets.std(axis=0), strict=True) if std == 0]
            if constant:
                raise DataError(f"{self.source}: {', '.join(constant)} is the same for every image")


def read_labels(
    path: str | Path,
    images_dir: str | Path,
    task: Task = "single-label",
    *,
    names: Sequence[str] | None = None,
    column: str | None = None,
    clip: str = "clip",
    limits: tuple[float, float] | None = None,
) -> LabelTable:
    """Read labeled images.

    Args:
        path: a COCO file (``.json``) or a table with a header (``.csv``) that has a column ``file``.
        images_dir: the folder that file names start from.
        task: what the labels are.
        names: the classes in their order, or the columns of a regression; None takes those of the file.
        column: where a label stands: a column of the table (``labels``), or a field of COCO's images. None
            takes COCO's categories: the class of an image is that of its objects, and of the largest where
            a single label is asked for.
        clip: column or field that joins the frames of one clip.
        limits: lowest and highest value of a regression that can be true.

    Raises:
        DataError: the file is missing or broken, a label is unknown or out of range, or an image is missing.
        ConfigError: an unknown task.
    """
    if task not in get_args(Task):
        raise ConfigError(f"unknown task '{task}'; choose from {', '.join(get_args(Task))}")
    path, folder = Path(path), Path(images_dir)
    known: tuple[str, ...] = ()
    if path.suffix == ".csv":
        rows = _table(path, column if task == "regression" else column or "labels")
    else:
        rows, known = _coco(path, column)
    notes: Counter[str] = Counter()
    if task == "regression":
        columns = tuple(names or ([column] if column else ()))
        if not columns:
            raise ConfigError("a regression needs the names of its values: 'classes', or 'column'")
        samples = [_measured(row, columns, clip, folder, limits) for row in rows]
        return _checked(LabelTable(path, task, columns, samples))
    classes = tuple(names) if names else known or tuple(sorted({n for row in rows for n in row.labels}))
    _check_classes(path, classes, known)
    found = [_classified(row, classes, task, clip, folder, notes) for row in rows]
    return _checked(LabelTable(path, task, classes, [s for s in found if s is not None], notes))


@dataclass
class _Row:
    """What a file says about one image; ``labels`` in the order of their weight."""

    where: str
    number: int
    entry: Mapping[str, Any]
    labels: list[str]
    mixed: bool = False


def _table(path: Path, column: str | None) -> list[_Row]:
    if not path.is_file():
        raise DataError(f"no table of labels at {path}")
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        header, lines = list(reader.fieldnames or []), list(reader)
    for needed in ("file", column):
        if needed and needed not in header:
            raise DataError(f"{path} has no column '{needed}' in its header: {', '.join(header) or 'empty'}")
    if not lines:
        raise DataError(f"{path} lists no image")
    rows = []
    for number, line in enumerate(lines, 2):
        labels = [part.strip() for part in (line.get(column or "") or "").split(SEPARATOR)]
        rows.append(_Row(f"{path}, line {number}", number, line, [label for label in labels if label]))
    return rows


def _coco(path: Path, column: str | None) -> tuple[list[_Row], tuple[str, ...]]:
    content = coco.read(path).content
    categories = {c["id"]: c["name"] for c in content["categories"]}
    areas = _areas(path, content, categories)
    rows = []
    for image in content["images"]:
        if column is None:
            labels = sorted(areas[image["id"]], key=lambda name: -areas[image["id"]][name])
        else:
            value = image.get(column)
            several = value if isinstance(value, list) else [value]
            labels = [str(label) for label in several if label is not None]
        entry = {"file": image.get("file_name"), **image}
        mixed = column is None and len(labels) > 1
        rows.append(_Row(f"{path}: image {image['id']}", image["id"], entry, labels, mixed))
    return rows, tuple(dict.fromkeys(categories.values())) if column is None else ()


def _areas(
    path: Path, content: Mapping[str, Any], categories: Mapping[int, str]
) -> dict[int, dict[str, float]]:
    """Image id -> class -> area of its objects in pixels."""
    areas: dict[int, dict[str, float]] = {image["id"]: {} for image in content["images"]}
    for annotation in content["annotations"]:
        where = f"{path}: annotation {annotation.get('id')}"
        image, category = annotation["image_id"], annotation.get("category_id")
        if category not in categories:
            known = ", ".join(f"{number} {name}" for number, name in categories.items())
            raise DataError(f"{where} has category {category}, which is none of the file's: {known}")
        found = areas[image]
        found[categories[category]] = found.get(categories[category], 0.0) + float(
            annotation.get("area") or 0
        )
    return areas


def _check_classes(path: Path, classes: tuple[str, ...], known: tuple[str, ...]) -> None:
    if len(set(classes)) != len(classes) or not classes:
        raise ConfigError(f"classes must be one or more different names, got {list(classes)}")
    missing = [name for name in classes if known and name not in known]
    if missing:
        raise DataError(
            f"{path} has no class {', '.join(missing)}; its classes are {', '.join(known)}. Set 'classes' to "
            "the file's names"
        )


def _classified(
    row: _Row, classes: tuple[str, ...], task: Task, clip: str, folder: Path, notes: Counter[str]
) -> Sample | None:
    if not row.labels and task == "single-label":
        notes["images without a label left out"] += 1
        return None
    target = np.zeros(len(classes), np.float32)
    if task == "single-label":
        if len(row.labels) > 1 and not row.mixed:
            raise DataError(
                f"{row.where} has {len(row.labels)} labels ({', '.join(row.labels)}); give one, or "
                "choose the task multi-label"
            )
        notes["images with objects of several classes: the largest counts"] += row.mixed
    for label in row.labels[:1] if task == "single-label" else row.labels:
        target[_index(label, classes, row.where)] = 1
    return _sample(row, target, clip, folder)


def _index(label: str, classes: tuple[str, ...], where: str) -> int:
    """The number of a label that is a class's name, or its number."""
    if label in classes:
        return classes.index(label)
    if label.lstrip("-").isdigit():
        if 0 <= int(label) < len(classes):
            return int(label)
        raise DataError(f"{where} has label {label}, outside of 0 to {len(classes) - 1}")
    raise DataError(
        f"{where} has label '{label}', which is none of the classes {', '.join(classes)}; correct it or add "
        "it to 'classes'"
    )


def _measured(
    row: _Row, columns: tuple[str, ...], clip: str, folder: Path, limits: tuple[float, float] | None
) -> Sample:
    values = []
    for name in columns:
        text = row.entry.get(name)
        try:
            value = float(text)  # type: ignore[arg-type]
        except (TypeError, ValueError, OverflowError):
            raise DataError(f"{row.where} has {text!r} for '{name}'; a number is needed") from None
        if not math.isfinite(value) or (limits and not limits[0] <= value <= limits[1]):
            bounds = f"{limits[0]:g} to {limits[1]:g}" if limits else "the finite numbers"
            raise DataError(f"{row.where} has {name} {value:g}, outside of {bounds}")
        values.append(value)
    return _sample(row, np.array(values, np.float32), clip, folder)


def _sample(row: _Row, target: np.ndarray, clip: str, folder: Path) -> Sample:
    file = row.entry.get("file")
    if not file:
        raise DataError(f"{row.where} names no image file")
    return Sample(folder / str(file), str(row.entry.get(clip) or file), target, row.number)


def _checked(table: LabelTable) -> LabelTable:
    table.notes = +table.notes
    if not table.samples:
        raise DataError(f"{table.source} has no labeled image")
    missing = [sample.path for sample in table.samples if not sample.path.is_file()]
    if missing:
        shown = ", ".join(str(path) for path in missing[:3]) + (", ..." if len(missing) > 3 else "")
        raise DataError(
            f"{table.source}: {len(missing)} of {len(table.samples)} images are missing: {shown}; is the "
            "image folder right?"
        )
    return table
