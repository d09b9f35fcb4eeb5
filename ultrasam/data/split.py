"""A COCO file split by subject: the same side for an image whoever asks, to train, to test or to write files.

- An image without ``subject`` stands for itself; a warning says how many do.
- An image's own ``split`` (``train``, ``val``, ``test``) is kept, and ``held_out``, which is none of them. A
  subject on two sides of it is an error.
- A side that no image names gets its share of the training subjects: those with the lowest hash, at least
  one. The hash is the converters', of data set and subject, and no option of a training run changes it.

`ultrasam.converters.engine.split` does it; here it is applied to the images of a file.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ultrasam.converters.engine.coco import subset
from ultrasam.converters.engine.coco import write_json as write_coco
from ultrasam.converters.engine.coco_parsed import Coco
from ultrasam.converters.engine.errors import ConverterError
from ultrasam.converters.engine.split import SEED, record_of, split_by_subject
from ultrasam.converters.engine.types import HELD_OUT, SPLITS
from ultrasam.data import coco
from ultrasam.data.files import write_json
from ultrasam.errors import DataError

#: Share of the subjects to test on, and to validate on where something does.
TEST_SHARE, VAL_SHARE = 0.2, 0.1
SIDES = (*SPLITS, HELD_OUT)
_UNKNOWN = (None, "")
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Split:
    """The sides of a COCO file.

    Attributes:
        source: the file, as far as it is used.
        sides: ``train``, ``val``, ``test``, ``held_out`` -> images with at least one object; those that have
            any.
    """

    source: coco.CocoFile
    sides: Mapping[str, list[coco.CocoImage]]

    def summary(self) -> str:
        """What is used, and how many images of how many subjects each side has."""
        sides = [f"{side}: {_count([i.entry for i in images])}" for side, images in self.sides.items()]
        return f"{self.source.summary()}\n{'; '.join(sides)}"

    def write(self, side: str, path: Path) -> Path:
        """Write a side as a COCO file."""
        write_json(path, self.source.part(self.sides[side]))
        return path


def load_split(
    source: Path, images: Path, shares: Mapping[str, float], *, categories: Sequence[str] | None = None
) -> Split:
    """Read, check and split a COCO file.

    Which objects are used does not change which side an image is on.

    Args:
        source: the COCO file.
        images: the folder that its ``file_name`` entries start from.
        shares: the sides that are needed beside ``train``, ``test`` and ``val``, with their share of the
            subjects where the file has none.
        categories: use only objects of these categories; None for all.

    Raises:
        DataError: the file is not usable, its own split puts a subject on two sides, or it is too small to
            put an image on every side.
    """
    used = coco.load(source, images, categories)
    side_of = sides_of(used.content["images"], shares, source)
    _refuse_empty_sides(source, [image.entry for image in used.images], side_of, shares)
    sides: dict[str, list[coco.CocoImage]] = {}
    for image in used.images:
        sides.setdefault(side_of[image.id], []).append(image)
    return Split(used, {side: sides[side] for side in SIDES if side in sides})


def split_file(source: Path, out: Path, shares: Mapping[str, float], seed: str = SEED) -> dict[str, Coco]:
    """Write ``out/train.json``, ``val.json`` and ``test.json``, as far as they have images.

    Unlike `load_split` it looks at no image, and everything that the file holds is in one of the parts.

    Returns:
        side -> its part of the file; what is ``held_out`` is not written.

    Raises:
        DataError: as `load_split`, but for images and masks.
    """
    content = coco.read(source).content
    side_of = sides_of(content["images"], shares, source, seed)
    _refuse_empty_sides(source, content["images"], side_of, shares)
    ids = {side: [number for number, its in side_of.items() if its == side] for side in SIDES}
    parts = {side: subset(content, numbers) for side, numbers in ids.items() if numbers}
    out.mkdir(parents=True, exist_ok=True)
    for side, part in parts.items():
        if side != HELD_OUT:
            write_coco(part, out / f"{side}.json")
    return parts


def sides_of(
    entries: Sequence[Mapping[str, Any]], shares: Mapping[str, float], source: Path, seed: str = SEED
) -> dict[Any, str]:
    """Image id -> ``train``, ``val``, ``test`` or ``held_out``.

    Args:
        entries: the images of a COCO file, as they are in it.
        shares: see `load_split`.
        source: the file, for messages.
        seed: another one draws other subjects.

    Raises:
        DataError: an unknown ``split``, or a subject on two sides.
    """
    unknown = sum(entry.get("subject") in _UNKNOWN for entry in entries)
    if unknown:
        logger.warning(
            "%s: %d of %d images name no subject and are split one by one; if several show one patient, "
            "the held-out scores are too good (give each image a 'subject')",
            *(source, unknown, len(entries)),
        )
    try:
        return split_by_subject([record_of(entry) for entry in entries], shares, seed=seed)
    except ConverterError as error:
        raise DataError(f"{source}: {error}") from error


def _count(entries: Sequence[Mapping[str, Any]]) -> str:
    records = [record_of(entry) for entry in entries]
    subjects = len({(record.dataset, record.subject) for record in records})
    return f"{len(entries)} images of {'a single subject' if subjects == 1 else f'{subjects} subjects'}"


def _refuse_empty_sides(
    source: Path, entries: Sequence[Mapping[str, Any]], side_of: Mapping[Any, str], wanted: Iterable[str]
) -> None:
    there = {side_of[entry["id"]] for entry in entries}
    empty = [side for side in ("train", *wanted) if side not in there]
    if empty:
        raise DataError(
            f"{source}: {_count(entries)} are too few to split: nothing is left for {' and '.join(empty)}"
        )
