"""What an export goes through: images with their objects, classes, the count of what was written and lost."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from ultrasam.converters.engine.names import locate
from ultrasam.converters.engine.segmentations import to_rle
from ultrasam.data import coco
from ultrasam.errors import DataError


@dataclass
class Exported:
    """What was written.

    Attributes:
        out: where.
        images: how many images.
        objects: how many objects.
        lost: what the format does not hold -> how much of it.
    """

    out: Path
    images: int = 0
    objects: int = 0
    lost: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        text = f"{self.out}: {self.images} images with {self.objects} objects"
        lost = ", ".join(f"{n} {what}" for what, n in (+self.lost).items())
        return f"{text}; lost: {lost}" if lost else text


@dataclass(frozen=True)
class Item:
    """One image: its entry in the COCO file, the name of its files without an ending, and its objects.

    Attributes:
        entry: in the COCO file.
        stem: for outputs, with folders, unique.
        path: the image file, None where it is not there.
        annotations: with a mask that is not empty.
    """

    entry: Mapping[str, Any]
    stem: str
    path: Path | None
    annotations: Sequence[Mapping[str, Any]]

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) in pixels."""
        return self.entry["height"], self.entry["width"]

    def masks(self) -> Iterator[NDArray[np.uint8]]:
        """The masks of its objects, (H, W), 0 and 1."""
        for annotation in self.annotations:
            yield coco_mask.decode(to_rle(annotation["segmentation"], self.size))


def items_of(parsed: coco.Parsed, images: Path) -> list[Item]:
    """The images of a COCO file, in its order.

    Args:
        parsed: the file, with masks.
        images: folder below which the image files lie.
    """
    content = parsed.content
    of_image: dict[Any, list[Mapping[str, Any]]] = {entry["id"]: [] for entry in content["images"]}
    for annotation, area in zip(content["annotations"], parsed.areas.tolist(), strict=True):
        if area > 0:
            of_image[annotation["image_id"]].append(annotation)
    names = [entry["file_name"] for entry in content["images"]]
    found, _ = locate(images, names)
    return [
        Item(entry, stem, found.get(entry["file_name"]), of_image[entry["id"]])
        for entry, stem in zip(content["images"], stems(names), strict=True)
    ]


def require_images(items: Sequence[Item]) -> None:
    """Refuse to go on where image files are missing.

    Raises:
        DataError: some are.
    """
    missing = [item.entry["file_name"] for item in items if item.path is None]
    if missing:
        raise DataError(
            f"{len(missing)} images are missing, such as '{missing[0]}'; is the image folder right?"
        )


def stems(names: Sequence[str]) -> list[str]:
    """Names of outputs for file names: below the output folder, without endings, none twice."""
    parts = [[p for p in re.split(r"[/\\]", name) if p not in ("", ".", "..")] for name in names]
    safe = ["/".join(re.sub(r"[:*?\"<>|\x00-\x1f]", "_", p) for p in part) or "image" for part in parts]
    plain = [str(Path(name).with_suffix("")) for name in safe]
    count = Counter(name.casefold() for name in plain)
    found, seen = [], Counter[str]()
    for name, stem in zip(safe, plain, strict=True):
        stem = stem if count[stem.casefold()] == 1 else f"{stem}_{Path(name).suffix[1:]}"
        seen[stem.casefold()] += 1
        found.append(stem if seen[stem.casefold()] == 1 else f"{stem}_{seen[stem.casefold()]}")
    return found


def classes_of(categories: Iterable[Mapping[str, Any]]) -> dict[Any, tuple[int, str]]:
    """Category id -> its place from 0, and its name; categories of one name are one."""
    places: dict[str, int] = {}
    return {c["id"]: (places.setdefault(c["name"], len(places)), c["name"]) for c in categories}
