"""Near-duplicate images across splits and across data sets, and what else leaks.

A perceptual hash (the lowest 8 x 8 cosine coefficients of a 32 x 32 thumbnail, as a unit vector) proposes
pairs in any of four mirrorings; a pair counts once its fine structure agrees too: the middle of one
high-pass thumbnail is found in the other, at scales that a crop of up to a tenth would give.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .coco import read_json
from .coco_parsed import Coco
from .errors import CaseError, ConverterError
from .read import gray
from .types import HELD_OUT
from .workers import AnyWorkers, Lost, finished

Floats = NDArray[np.float32]
#: An image's hash vector and its high-pass thumbnail.
_Looks = tuple[Floats, NDArray[np.float16]]
SIDE = 64
HASH = 8
CANDIDATE = 0.80
MATCH = 0.85
HOPELESS = 0.60
BLOCK = 2048
SCALES = (1.0, 0.95, 0.9)
MARGIN = 6


@dataclass(frozen=True)
class Entry:
    """An image of a COCO file: where it is and which side it is on."""

    dataset: str
    file_name: str
    split: str
    subject: str | None
    path: Path


@dataclass(frozen=True)
class Pair:
    """Two images that show the same: `score` is the correlation of their fine structure."""

    first: Entry
    second: Entry
    score: float
    mirrored: str


def entries(coco: Coco, folder: Path, split: str | None = None) -> list[Entry]:
    """The images of a file; `split` where the file is one side and does not say so itself."""
    dataset = str(coco.get("info", {}).get("dataset", ""))
    return [
        Entry(
            image.get("dataset", dataset),
            image["file_name"],
            split or image.get("split", ""),
            image.get("subject"),
            folder / image["file_name"],
        )
        for image in coco["images"]
    ]


def thumbnail(picture: NDArray[np.uint8]) -> tuple[Floats, Floats]:
    """The hash vector (64,) and the high-pass thumbnail (SIDE, SIDE) of a gray image."""
    small = cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    coarse = cv2.resize(small, (32, 32), interpolation=cv2.INTER_AREA)
    vector = cv2.dct(coarse)[:HASH, :HASH].copy()
    vector[0, 0] = 0
    fine = cv2.GaussianBlur(small, (0, 0), 0.8) - cv2.GaussianBlur(small, (0, 0), 4)
    return np.asarray(vector / (np.linalg.norm(vector) + 1e-6), np.float32), np.asarray(fine, np.float32)


def near_duplicates(found: Sequence[Entry], workers: AnyWorkers = 1) -> tuple[list[Pair], list[str]]:
    """Pairs in different splits or data sets, best first, and the images that cannot be read.

    Args:
        found: The images.
        workers: Processes, or an executor whose workers see the same files; they read the images.
    """
    usable, vectors, fines, unread = [], [], [], []
    for entry, looks in zip(found, _looks(found, workers), strict=True):
        if isinstance(looks, str):
            unread.append(str(CaseError(entry.path, looks)))
            continue
        usable.append(entry)
        vectors.append(looks[0])
        fines.append(looks[1])
    if len(usable) < 2:
        return [], unread
    pairs = []
    for first, second, flip in _candidates(np.stack(vectors), usable):
        other = np.ascontiguousarray(fines[second].astype(np.float32)[:: 1 - 2 * flip[0], :: 1 - 2 * flip[1]])
        score = similarity(fines[first].astype(np.float32), other)
        if score >= MATCH:
            mirrored = "".join(name for name, on in zip(("vertical ", "horizontal"), flip, strict=True) if on)
            pairs.append(Pair(usable[first], usable[second], score, mirrored.strip()))
    best: dict[tuple[str, str, str, str], Pair] = {}
    for pair in pairs:
        key = (pair.first.dataset, pair.first.file_name, pair.second.dataset, pair.second.file_name)
        if key not in best or best[key].score < pair.score:
            best[key] = pair
    return sorted(best.values(), key=lambda p: (-p.score, p.first.file_name, p.second.file_name)), unread


def _looks(found: Sequence[Entry], workers: AnyWorkers) -> list[_Looks | str]:
    """What each image is compared by, or why it cannot be read."""
    looks: list[_Looks | str] = [""] * len(found)
    for place, made in finished(_look, [entry.path.absolute() for entry in found], workers):
        looks[place] = made.reason if isinstance(made, Lost) else made
    return looks


def _look(path: Path) -> _Looks | str:
    try:
        vector, fine = thumbnail(gray(path))
    except CaseError as error:
        return error.reason
    return vector, fine.astype(np.float16)


def similarity(first: Floats, second: Floats) -> float:
    """The best correlation of the middle of one thumbnail with any place in the other, over small crops."""
    best = max(_found(first, second, scale, scale) for scale in SCALES)
    best = max(best, *(_found(second, first, scale, scale) for scale in SCALES[1:]))
    if HOPELESS <= best < MATCH:
        uneven = [(sy, sx) for sy, sx in product(SCALES, SCALES) if sy != sx]
        best = max(best, *(_found(a, b, *s) for a, b in ((first, second), (second, first)) for s in uneven))
    return best


def _found(big: Floats, small: Floats, scale_y: float, scale_x: float) -> float:
    """How well the middle of `small`, shrunk by the scales, is found in `big`."""
    height, width = round(SIDE * scale_y), round(SIDE * scale_x)
    shrunk = cv2.resize(small, (width, height), interpolation=cv2.INTER_AREA)
    template = shrunk[MARGIN : height - MARGIN, MARGIN : width - MARGIN]
    return float(cv2.matchTemplate(big, template, cv2.TM_CCOEFF_NORMED).max())


def _candidates(vectors: Floats, found: Sequence[Entry]) -> Iterator[tuple[int, int, tuple[int, int]]]:
    """Pairs on different sides whose hashes agree; mirroring an image flips the sign of odd waves."""
    sides = {key: number for number, key in enumerate(sorted({(e.dataset, e.split) for e in found}))}
    side = np.array([sides[e.dataset, e.split] for e in found])
    flat = vectors.reshape(len(vectors), -1)
    for flip in product((0, 1), (0, 1)):
        signs = np.ones((HASH, HASH), np.float32)
        signs[1::2] *= 1 - 2 * flip[0]
        signs[:, 1::2] *= 1 - 2 * flip[1]
        turned = flat * signs.ravel()
        for start in range(0, len(flat), BLOCK):
            scores = flat[start : start + BLOCK] @ turned[start:].T
            rows, columns = np.nonzero(scores >= CANDIDATE)
            keep = (columns > rows) & (side[rows + start] != side[columns + start])
            for row, column in zip(rows[keep].tolist(), columns[keep].tolist(), strict=True):
                yield row + start, column + start, flip


def split_subjects(found: Sequence[Entry]) -> list[str]:
    """Subjects that are on more than one side."""
    sides: dict[tuple[str, str], set[str]] = defaultdict(set)
    for entry in found:
        if entry.subject is not None and entry.split != HELD_OUT:
            sides[entry.dataset, entry.subject].add(entry.split)
    return [
        f"{dataset}: subject {subject} is in {', '.join(sorted(on))}"
        for (dataset, subject), on in sorted(sides.items())
        if len(on) > 1
    ]


def dropped(path: Path) -> list[tuple[str, str]]:
    """The images that an audit's file says to leave out, as `(dataset, file_name)`.

    Raises:
        ConverterError: It is no such file.
    """
    content = read_json(path)
    try:
        return [(entry["dataset"], entry["file_name"]) for entry in content["drop"]]
    except (KeyError, TypeError) as error:
        raise ConverterError(
            f"{path} is no audit.json of 'ultrasam data audit': no list 'drop' of data sets and file names"
        ) from error


def to_drop(pairs: Sequence[Pair]) -> list[dict[str, str]]:
    """The images that a merge should leave out: of each pair one stays, a test image before others."""
    rank = {"test": 0, "val": 1, "train": 2}
    gone: set[tuple[str, str]] = set()
    for pair in pairs:
        ends = [(e.dataset, e.file_name) for e in (pair.first, pair.second)]
        if not gone & set(ends):
            both = sorted((rank.get(e.split, 3), e.dataset, e.file_name) for e in (pair.first, pair.second))
            gone.add(both[1][1:])
    return [{"dataset": dataset, "file_name": name} for dataset, name in sorted(gone)]


def report(
    found: Sequence[Entry], pairs: Sequence[Pair], unread: Sequence[str], subjects: Sequence[str]
) -> dict[str, Any]:
    """Everything checked and found, as JSON values; `drop` is what `merge` understands."""

    def end(entry: Entry) -> Mapping[str, Any]:
        return {"dataset": entry.dataset, "file_name": entry.file_name, "split": entry.split}

    checked: dict[str, Counter[str]] = defaultdict(Counter)
    for entry in found:
        checked[entry.dataset][entry.split] += 1
    return {
        "checked": checked,
        "pairs": [
            {
                "first": end(p.first),
                "second": end(p.second),
                "score": round(p.score, 4),
                "mirrored": p.mirrored,
            }
            for p in pairs
        ],
        "unreadable": list(unread),
        "subjects_on_two_sides": list(subjects),
        "drop": to_drop(pairs),
    }
