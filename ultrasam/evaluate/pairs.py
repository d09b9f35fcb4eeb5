"""Two scanners' images of one object: how far a model's mask moves from one to the other.

As in USenhance 2023, where each image of a cart scanner has a partner of a handheld one. The labels belong to
the images that are evaluated; their partners, of equal file names, are asked the same prompts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from ultrasam.data.files import locate, write_json, write_text
from ultrasam.data.images import read_image, write_image
from ultrasam.data.spread import AnyWorkers
from ultrasam.errors import DataError
from ultrasam.evaluate.evaluate import Subject, examine_all
from ultrasam.evaluate.protocol import Condition, Protocol
from ultrasam.evaluate.records import Record
from ultrasam.evaluate.samples import Sample
from ultrasam.report.table import Table

#: Widths over heights of partners may differ by so much.
_ASPECT = 0.02


@dataclass(frozen=True)
class Agreement:
    """Of one prompt, over all objects: Dice with the labels on both images, and between both masks.

    Attributes:
        prompt: `box` or `point`.
        images: (n,) Dice of the masks on the evaluated images with the labels.
        partners: (n,) the same on the partners.
        between: (n,) Dice of both masks with each other.
    """

    prompt: str
    images: NDArray[np.float64]
    partners: NDArray[np.float64]
    between: NDArray[np.float64]


def find(samples: Sequence[Sample], folder: Path) -> list[Path]:
    """The partner of each image.

    Raises:
        DataError: there is no such folder, or an image has no partner or several.
    """
    if not folder.is_dir():
        raise DataError(f"no folder {folder}; --pairs is where the other scanner's images lie")
    found, ambiguous = locate(folder, [sample.name for sample in samples])
    if ambiguous:
        name, fits = next(iter(ambiguous.items()))
        raise DataError(f"'{name}' has several partners below {folder}: {' and '.join(fits[:3])}")
    missing = [sample.name for sample in samples if sample.name not in found]
    if missing:
        some = ", ".join(missing[:3])
        raise DataError(f"{len(missing)} of {len(samples)} images have no partner below {folder}: {some}")
    return [found[sample.name] for sample in samples]


def compare(
    subject: Subject,
    samples: Sequence[Sample],
    records: Sequence[Record],
    partners: Sequence[Path],
    protocol: Protocol,
    out: Path,
    workers: AnyWorkers = 1,
) -> list[Agreement]:
    """Ask the partners what the images were asked, and write `pairs.json` and `pairs.md`.

    Args:
        subject: the model.
        samples: the images.
        records: of each image.
        partners: of each image, see `find`.
        protocol: of the evaluation; its boxes and points are asked.
        out: folder of the report.
        workers: as of `examine_all`.

    Raises:
        DataError: neither boxes nor points are asked, or a partner shows another cut-out.
    """
    asked = tuple(prompt for prompt in protocol.prompts if prompt in protocol.single)
    if not asked:
        raise DataError("--pairs compares masks of boxes and points; ask one of them with --prompts")
    plain = replace(protocol, prompts=asked, baselines=False, noise=False, degradations=())
    folder = out / "pairs"
    other = [
        replace(sample, item=replace(sample.item, path=_fitted(sample, path, folder / f"{number:06d}.png")))
        for number, (sample, path) in enumerate(zip(samples, partners, strict=True))
    ]
    answers, _ = examine_all(subject, other, plain, folder, workers)
    found = [_agreement(prompt, records, answers) for prompt in asked]
    write_json(out / "pairs.json", {a.prompt: _numbers(a) for a in found}, indent=1)
    write_text(out / "pairs.md", table(found).markdown() + "\n")
    return found


def table(found: Sequence[Agreement]) -> Table:
    """A row for each prompt."""
    head = ["prompt", "objects", "Dice", "Dice on partners", "Dice between both", "between under 0.8"]
    rows = []
    for a in found:
        means = (f"{np.mean(values):.3f}" for values in (a.images, a.partners, a.between))
        rows.append([a.prompt, str(len(a.between)), *means, f"{np.mean(a.between < 0.8):.0%}"])
    return Table("Two scanners' images of one object", head, rows)


def _numbers(a: Agreement) -> dict[str, list[float]]:
    return {name: getattr(a, name).tolist() for name in ("images", "partners", "between")}


def _agreement(prompt: str, first: Sequence[Record], second: Sequence[Record]) -> Agreement:
    condition = Condition(prompt)
    parts: tuple[list[float], list[float], list[float]] = ([], [], [])
    for one, two in zip(first, second, strict=True):
        ours, theirs = one.answers[condition].masks, two.answers[condition].masks
        for left, right, target in zip(ours, theirs, one.targets, strict=True):
            for part, pair in zip(parts, ((left, target), (right, target), (left, right)), strict=True):
                part.append(_dice(*pair))
    return Agreement(prompt, *(np.array(part, np.float64) for part in parts))


def _dice(first: dict, second: dict) -> float:
    """Of two masks as run lengths; 1 for two empty ones."""
    sizes = float(coco_mask.area(first)) + float(coco_mask.area(second))
    shared = float(coco_mask.area(coco_mask.merge([first, second], intersect=True)))
    return 2 * shared / sizes if sizes else 1.0


def _fitted(sample: Sample, path: Path, place: Path) -> Path:
    """The partner's file; brought to the image's size at another place if it has another."""
    height, width = sample.item.size
    image = read_image(path)
    if image.shape[:2] == (height, width):
        return path
    if abs(image.shape[1] / image.shape[0] * height / width - 1) > _ASPECT:
        raise DataError(
            f"{path} has {image.shape[1]} x {image.shape[0]} pixels, its partner {sample.name} "
            f"{width} x {height}: another cut-out, on which the labels do not fit"
        )
    write_image(place, cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA))
    return place
