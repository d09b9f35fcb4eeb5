"""COCO files spoiled at random, and what every reader makes of them.

`mutated(rng)` gives the bytes of a file with one to three random edits; `read_by_all(folder, data)` lets
every reader have it and says how each ended.
"""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from ultrasam.converters.engine.coco import read_json
from ultrasam.converters.engine.coco_schema import read
from ultrasam.converters.engine.errors import ConverterError
from ultrasam.converters.engine.join import join
from ultrasam.converters.engine.stats import statistics
from ultrasam.converters.engine.validate import check

from ultrasam.data import coco, columns
from ultrasam.data.split import split_file
from ultrasam.errors import UltraSamError
from ultrasam.predict.files import prompt_files

H, W = 24, 32
#: What may stand where anything else belongs.
VALUES: list[Any] = [
    *(None, True, False, "", "1", "x", "7.5", [], {}, [[]], [None], {"a": 1}, 0, -1, 1, 1.5, 3.0, 1e6, -1e6),
    *(2**31, 2**32 + 1, 2**63, 2**127, -(2**63), 10**400, 4e10, 1e308, float("nan"), float("inf")),
    *("\0", "é", "e\u0301", "a" * 300, "../" * 3, "%20", "\\", "\ud800", [1, 2, 3, 4], [float("nan")] * 6),
]


def valid() -> dict[str, Any]:
    """Three images and objects with polygons, a run list and a code."""
    images, annotations = [], []
    for i in range(3):
        mask = np.zeros((H, W), np.uint8)
        mask[5 : 15 + i, 8 : 20 + i] = 1
        edges = np.flatnonzero(np.diff(mask.reshape(-1, order="F"))) + 1
        segmentation = [
            [[8, 5, 20, 5, 20, 15, 8, 15]],
            {"size": [H, W], "counts": np.diff([0, *edges, mask.size]).tolist()},
            coco.encode(mask.astype(bool)),
        ][i]
        entry = {"id": i + 1, "file_name": f"us{i}.png", "height": H, "width": W}
        images.append({**entry, "subject": f"p{i}", "dataset": "mine", "split": ("train", "val", "test")[i]})
        ids = {
            "id": 10 + i,
            "image_id": i + 1,
            "category_id": 1 + i % 2,
            "iscrowd": 0,
            "area": int(mask.sum()),
        }
        annotations.append({**ids, "bbox": [8, 5, 12 + i, 10 + i], "segmentation": segmentation})
    categories = [{"id": 1, "name": "lesion"}, {"id": 2, "name": "cyst"}]
    return {"images": images, "annotations": annotations, "categories": categories}


def pictures(folder: Path) -> Path:
    """The image files of `valid`."""
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(3):
        cv2.imwrite(str(folder / f"us{i}.png"), np.full((H, W), 90, np.uint8))
    return folder


def mutated(rng: random.Random) -> bytes:
    """A COCO file with one to three random edits, as JSON."""
    content = copy.deepcopy(valid())
    for _ in range(rng.choice((1, 1, 2, 3))):
        content = edited(content, rng)
    data = json.dumps(content).encode()
    if rng.random() < 0.03:
        cut = rng.randrange(len(data))
        data = data[:cut] + bytes([rng.randrange(256)]) + data[cut + rng.randrange(2) :]
    return data


def edited(content: Any, rng: random.Random) -> Any:
    """JSON with one random edit."""
    places = [place for place in _places(content) if place[0] is not None]
    if not places:
        return content
    holder, key = rng.choice(places)
    value = holder[key]
    how = rng.randrange(6)
    if how == 0:
        del holder[key]
    elif how == 1 and isinstance(holder, list):
        holder.append(copy.deepcopy(value))
    elif how == 2 and isinstance(value, str):
        holder[key] = _text(value, rng)
    elif how == 3 and isinstance(value, (int, float)):
        small = min(max(value, -1e300), 1e300) if value == value else value
        holder[key] = rng.choice((-value, value + 1, value * 1000, float(small), str(value), small / W))
    elif how == 4:
        other, its = rng.choice(places)
        holder[key] = copy.deepcopy(other[its])
    else:
        holder[key] = copy.deepcopy(rng.choice(VALUES))
    return content


def _text(text: str, rng: random.Random) -> str:
    """A text cut, repeated, or with another character."""
    at = rng.randrange(len(text) + 1)
    return rng.choice(
        (text[:at], text[:at] + chr(rng.randrange(32, 400)) + text[at + 1 :], text * 2, f"C:\\x\\{text}")
    )


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every place in a value, as what holds it and its key there."""
    found: list[tuple[Any, Any]] = []
    keys: Any = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        found += [(value, key), *_places(value[key])]
    return found


def read_by_all(folder: Path, data: bytes) -> dict[str, str | None]:
    """Let every reader read a file whose images lie in ``folder/images``.

    Returns:
        reader -> None where it went through, else what it said to the user. Other errors are not caught.
    """
    path, images = folder / "mine.json", folder / "images"
    path.write_bytes(data)
    inputs = [file.name for file in sorted(images.iterdir())]

    def checked() -> None:
        problems = check(read_json(path), images)
        if problems:
            raise ConverterError("; ".join(map(str, problems)))

    def loaded() -> None:
        used = columns.columns_of(coco.load(path, images))
        assert sum(mask.sum() for i in range(len(used)) for mask in used.image(i).masks()) > 0

    readers: dict[str, Callable[[], Any]] = {
        "check": checked,
        "load": loaded,
        "prompts": lambda: prompt_files.by_name(prompt_files.from_coco(path)[0], inputs),
        "stats": lambda: json.dumps(statistics(read(path)), ensure_ascii=False).encode(),
        "join": lambda: join([(path, images)], folder / "joined.json"),
        "split": lambda: split_file(path, folder / "sides", {"test": 0.3}),
    }
    return {name: _ending(reader) for name, reader in readers.items()}


def _ending(reader: Callable[[], Any]) -> str | None:
    try:
        reader()
    except (UltraSamError, ConverterError) as error:
        assert str(error)
        str(error).encode()
        return str(error)
    return None
