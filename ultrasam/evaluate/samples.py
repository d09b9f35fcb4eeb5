"""The images to score: of one or several COCO files, of one split, or a few of each."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ultrasam.data import coco
from ultrasam.errors import DataError


@dataclass(frozen=True)
class Sample:
    """An image, its objects, and where its scores belong.

    Attributes:
        item: the image and its annotations; ``dataset`` is never empty and ``id`` is unique over all files.
        name: the image's name in its COCO file; with the data set it tells it from all others.
        organ: what it shows; empty where nothing says.
        spacing: (x, y) millimeters a pixel, or None.
    """

    item: coco.CocoImage
    name: str
    organ: str
    spacing: tuple[float, float] | None

    @property
    def key(self) -> tuple[str, str]:
        """Data set and name."""
        return self.item.dataset, self.name

    def stamp(self) -> int:
        """Changes when the name, size, spacing or an annotation does."""
        shapes = [str(a["segmentation"]) + str(a["bbox"]) for a in self.item.annotations]
        return zlib.crc32(repr((self.name, self.item.size, self.spacing, shapes)).encode())


def read_samples(
    files: Mapping[Path, Path],
    *,
    splits: Sequence[str] = (),
    limit: int | None = None,
    organ_of: Mapping[str, str] | None = None,
) -> tuple[list[Sample], list[str]]:
    """Read COCO files.

    Args:
        files: COCO file -> the folder that its file names start from; ``dataset`` of an image, else the name
            of the file, is its data set.
        splits: use only images whose ``split`` is one of these; none for all.
        limit: at most so many images of each file, evenly spread over it.
        organ_of: data set -> organ, for images without ``organ``.

    Returns:
        the images with at least one object, and a line on each file: what is used and what is left out.

    Raises:
        DataError: what `coco.load` raises, an unknown split, an empty one, or an image in two files.
    """
    for images in files.values():
        if not images.is_dir():
            raise DataError(
                f"no image folder at {images}; --images is where the file names of the COCO files start"
            )
    if limit is not None and limit < 1:
        raise DataError(f"--limit takes a number from 1, got {limit}")
    contents = {path: coco.read(path, coco.Need.MASKS) for path in files}
    counts = {
        path: Counter(str(entry.get("split")) for entry in parsed.content["images"])
        for path, parsed in contents.items()
    }
    _check_splits(counts, splits)
    samples: dict[tuple[str, str], Sample] = {}
    notes = []
    for path, images in files.items():
        if splits and not any(counts[path][name] for name in splits):
            notes.append(f"{path}: no image of the split {', '.join(splits)}")
            continue
        used = coco.load(path, images, wanted=_chooser(splits), parsed=contents[path])
        chosen = _spread(used.images, limit)
        notes.append(used.summary() + (f"; {len(chosen)} images of them taken" if limit else ""))
        for item in chosen:
            sample = _sample(item, path, len(samples) + 1, organ_of or {})
            if sample.key in samples:
                raise DataError(f"{path} lists {sample.name}, which another of the files lists too")
            samples[sample.key] = sample
    return list(samples.values()), notes


def _check_splits(counts: Mapping[Path, Counter[str]], splits: Sequence[str]) -> None:
    total: Counter[str] = sum(counts.values(), Counter())
    unknown = [name for name in splits if not total[name]]
    if unknown:
        known = ", ".join(f"{name} ({n} images)" for name, n in total.items() if name != "None")
        raise DataError(
            f"no image of the split {unknown[0]!r} in {', '.join(str(path) for path in counts)}; "
            + (f"there are {known}" if known else "the images have no field 'split'; leave --split out")
        )


def _chooser(splits: Sequence[str]) -> Any:
    return (lambda entry: entry.get("split") in splits) if splits else None


def _spread(items: list[coco.CocoImage], limit: int | None) -> list[coco.CocoImage]:
    if limit is None or limit >= len(items):
        return items
    return [items[i] for i in np.linspace(0, len(items) - 1, limit).round().astype(int)]


def _sample(item: coco.CocoImage, path: Path, number: int, organ_of: Mapping[str, str]) -> Sample:
    entry = item.entry
    dataset = item.dataset or path.stem
    organ = str(entry.get("organ") or entry.get("anatomy") or organ_of.get(dataset, ""))
    where = f"{path}: image {item.id}"
    return Sample(
        replace(item, id=number, dataset=dataset), str(entry["file_name"]), organ, _spacing(entry, where)
    )


def _spacing(entry: Mapping[str, Any], where: str) -> tuple[float, float] | None:
    """(x, y) mm a pixel, as ``spacing`` of an image says it."""
    value = entry.get("spacing")
    if value is None:
        return None
    try:
        x, y = (float(v) for v in value)
    except (TypeError, ValueError, OverflowError) as error:
        raise DataError(f"{where} has the spacing {value!r}; it takes [x, y] in mm a pixel") from error
    if not (0 < x < np.inf and 0 < y < np.inf):
        raise DataError(f"{where} has the spacing {value!r}; it takes two positive numbers")
    return x, y
