"""YOLO's segmentation files: a text for each image, a class and an outline in each line.

``data.yaml`` beside them names the classes. An object is one polygon there: parts and holes are joined by
cuts of no width, as Ultralytics' own converter joins parts.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ultrasam.converters.engine.coco_parsed import shown
from ultrasam.converters.engine.names import match
from ultrasam.data.formats.label_records import BOXES, Image, Labels, parsed_number
from ultrasam.data.images import read_header
from ultrasam.errors import DataError

#: Names of the parts of a data set -> our own.
SPLITS = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
_NO_LABELS = (
    "classes.txt",
    "train.txt",
    "val.txt",
    "valid.txt",
    "test.txt",
    "autosplit_train.txt",
    "readme.txt",
)
#: A little outside of the image is rounding; more is another unit.
_FARTHEST = 1.5


def is_line(line: str) -> bool:
    """Whether a line of text can be one of a label file."""
    words = line.split()
    try:
        return len(words) >= 5 and int(float(words[0])) == float(words[0]) and [*map(float, words)] != []
    except (ValueError, OverflowError):
        return False


def label_files(folder: Path) -> list[Path]:
    """The label files below a folder: those in a folder ``labels``, or all texts where there is none."""
    texts = [path for path in sorted(folder.rglob("*.txt")) if path.name.lower() not in _NO_LABELS]
    inside = [path for path in texts if "labels" in path.relative_to(folder).parts]
    return inside or texts


def read(folder: Path, images: Path, pictures: Sequence[str]) -> Labels:
    """The label files below a folder.

    Args:
        folder: the data set's.
        images: the folder of the images, the same or another.
        pictures: the image files below that, relative to it.

    Raises:
        DataError: a line is damaged, a class has no name, or images and label files do not fit together.
    """
    labels, names = Labels(), _names(folder)
    of_stem: dict[str, str] = {}
    for file in pictures:
        if of_stem.setdefault(_stem(file), file) != file:
            raise DataError(f"{images}: {of_stem[_stem(file)]} and {file} share one label file; rename one")
    files = {path.relative_to(folder).as_posix(): path for path in label_files(folder)}
    matched = match([_stem(file) for file in files], list(of_stem))
    for file, path in files.items():
        if _stem(file) not in matched.found:
            fits = matched.ambiguous.get(_stem(file), [])
            told = f" ({' and '.join(fits[:3])} fit)" if fits else ""
            raise DataError(f"{path} has no image of its name below {images}{told}")
    labelled = {matched.found[_stem(file)]: path for file, path in files.items()}
    for stem, file in of_stem.items():
        path = images / file
        image = Image(file, read_header(path).size, extra=_split(file), where=str(path), path=path)
        labels.images.append(image)
        if stem in labelled:
            _lines(labels, image, labelled[stem], names)
    labels.classes = list(names.values())
    return labels


def _stem(file: str) -> str:
    """Without its ending, and with one name for the two folders."""
    parts = Path(file).with_suffix("").as_posix().split("/")
    return "/".join("images" if part == "labels" else part for part in parts)


def _split(file: str) -> dict[str, Any]:
    found = [SPLITS[part.lower()] for part in file.split("/")[:-1] if part.lower() in SPLITS]
    return {"split": found[-1]} if found else {}


def _lines(labels: Labels, image: Image, path: Path, names: dict[int, str]) -> None:
    height, width = image.size or (0, 0)
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} is no text file: {error}") from error
    for row, line in enumerate(lines, start=1):
        words, where = line.split(), f"{path}, line {row}"
        if not words:
            continue
        values = [parsed_number(word, where) for word in words]
        index = int(values[0])
        if index != values[0] or index < 0 or (names and index not in names):
            known = f"; data.yaml names {', '.join(map(str, names))}" if names else ""
            raise DataError(f"{where} has the class {shown(words[0])}{known}")
        if len(values) in (5, 6):
            labels.left_out[BOXES] += 1
            continue
        if len(values) % 2 == 0:
            raise DataError(f"{where} has {len(values) - 1} coordinates; they come in pairs x, y")
        if max(map(abs, values[1:]), default=0) > _FARTHEST:
            raise DataError(
                f"{where} has coordinates beyond 1; YOLO's are fractions of the image, not pixels"
            )
        ring = [v * (width, height)[i % 2] for i, v in enumerate(values[1:])]
        labels.add_outline(image, names.get(index, f"class {index}"), ring)


def _names(folder: Path) -> dict[int, str]:
    """Class number -> name, from ``data.yaml`` or ``classes.txt``; empty where neither is there."""
    files = sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")])
    for path in files:
        names = _of_yaml(path)
        if names:
            return names
    listed = folder / "classes.txt"
    if not listed.is_file():
        return {}
    try:
        return dict(enumerate(listed.read_text(encoding="utf-8-sig").split("\n")[: 2**16]))
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{listed} is no text file: {error}") from error


def _of_yaml(path: Path) -> dict[int, str]:
    import yaml

    try:
        content = yaml.safe_load(path.read_bytes())
    except (yaml.YAMLError, OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path} is no valid YAML: {' '.join(str(error).split())}") from error
    found = content.get("names") if isinstance(content, dict) else None
    if found is None:
        return {}
    names = dict(enumerate(found)) if isinstance(found, list) else found
    fine = isinstance(names, dict) and all(
        type(k) is int and isinstance(v, (str, int)) for k, v in names.items()
    )
    if not fine:
        raise DataError(f"{path}: 'names' is {shown(found)}; it takes a list of names, or number: name")
    return {key: str(name) for key, name in sorted(names.items())}


def line(index: int, ring: Sequence[float], size: tuple[int, int]) -> str:
    """One object's line."""
    height, width = size
    values = (v / (width, height)[i % 2] for i, v in enumerate(ring))
    return " ".join([str(index), *(f"{v:.8g}" for v in values)])


def config(names: Sequence[str], parts: Iterable[str]) -> str:
    """The text of ``data.yaml``; a text of JSON is one of YAML."""
    folders = {part: f"images/{part}" for part in parts}
    # Ultralytics asks for both.
    folders.setdefault("train", next(iter(folders.values())))
    folders.setdefault("val", folders.get("test", folders["train"]))
    rows = {"path": ".", **folders}
    lines = [f"{key}: {json.dumps(value)}" for key, value in rows.items()]
    lines += ["names:", *(f"  {number}: {json.dumps(name)}" for number, name in enumerate(names))]
    return "\n".join(lines) + "\n"
