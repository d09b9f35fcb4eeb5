"""Which image trains, validates and tests: by subject, seeded, a split that is given is kept.

One algorithm for the data sets of the converters and for the COCO files of users (`ultrasam.data.split`):

- Whatever has no subject stands for itself.
- A side that is given is kept; what is on no side trains, unless it is drawn for another.
- A side that nothing is given for takes its share of the training subjects, those with the lowest hash, at
  least one. The test side is drawn first, so who tests does not depend on whether anything validates.
- A subject on two sides that are given is an error; `assign_cases` mends official splits of archives first.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from .errors import ConverterError
from .types import HELD_OUT, SPLITS, Case

SEED = "us-43d"
VAL_FRACTION = 0.05


class Record(NamedTuple):
    """One thing to put on a side: whom it shows, and the side that is given for it.

    A subject is one person only within a `dataset`.
    """

    key: Any
    subject: str
    split: str | None = None
    dataset: str = ""


def record_of(image: Mapping[str, Any]) -> Record:
    """The record of an image of a COCO file."""
    subject, dataset = image.get("subject"), str(image.get("dataset", ""))
    who = f"image {image['file_name']}" if subject in (None, "") else str(subject)
    return Record(image["id"], who, image.get("split") or None, dataset)


def fraction(seed: str, subject: str) -> float:
    """A number in [0, 1) that depends on nothing but the seed and the subject."""
    digest = hashlib.sha256(f"{seed}\0{subject}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def split_by_subject(
    records: Iterable[Record], shares: Mapping[str, float], *, seed: str = SEED, exact: bool = True
) -> dict[Any, str]:
    """Put every record on a side; a subject is never on two.

    Args:
        records: What to split.
        shares: Sides to draw where none is given, `test` or `val`, with their share of the training subjects.
        seed: Another one draws others.
        exact: Draw the share as exactly as whole subjects allow. Otherwise draw those whose hash is below it,
            about as many: then no subject changes sides when others come.

    Returns:
        Key -> `train`, `val`, `test` or `held_out`.

    Raises:
        ConverterError: An unknown side, a subject on two sides, or shares that leave nothing to train on.
    """
    if not (all(share >= 0 for share in shares.values()) and sum(shares.values()) < 1):
        raise ConverterError(f"shares of a split are from 0 up and less than 1 together, not {dict(shares)}")
    records = list(records)
    sides: dict[tuple[str, str], set[str]] = defaultdict(set)
    for record in records:
        _check(record.key, record.split, (*SPLITS, HELD_OUT))
        sides[record.dataset, record.subject].add(record.split or "train")
    both = sorted(subject for (_, subject), given in sides.items() if len(given - {HELD_OUT}) > 1)
    if both:
        raise ConverterError(
            f"its own split has {len(both)} subjects on both sides, {both[0]} for one; correct it, or remove "
            "'split' from the images to have them split by subject"
        )
    given = set().union(*sides.values())
    wanted = {side: shares[side] for side in ("test", "val") if shares.get(side) and side not in given}
    drawn = _draw([who for who, its in sides.items() if "train" in its], wanted, seed, exact)

    def side_of(record: Record) -> str:
        side = record.split or "train"
        return drawn.get((record.dataset, record.subject), side) if side == "train" else side

    return {record.key: side_of(record) for record in records}


def _draw(
    subjects: Iterable[tuple[str, str]], shares: Mapping[str, float], seed: str, exact: bool
) -> dict[tuple[str, str], str]:
    """(data set, subject) -> the side it is drawn for, the lowest hashes first; the others are not in it."""
    hashed = sorted((fraction(f"{seed}/{dataset}", name), name, dataset) for dataset, name in subjects)
    places = [(rank + 0.5) / len(hashed) if exact else hashed[rank][0] for rank in range(len(hashed))]
    drawn: dict[tuple[str, str], str] = {}
    start, bound = 0, 0.0
    for side, share in shares.items():
        bound += share
        left = len(hashed) - start
        count = max(sum(place < bound for place in places[start:]), int(left > 1))
        stop = start + (min(count, max(left - 1, 0)) if exact else count)
        drawn.update({(dataset, name): side for _, name, dataset in hashed[start:stop]})
        start = stop
    return drawn


def _check(key: Any, split: str | None, known: Sequence[str]) -> None:
    if split is not None and split not in known:
        raise ConverterError(f"image or case {key}: unknown split {split!r}; it may be {', '.join(known)}")


def assign_cases(
    cases: Sequence[Case], dataset: str = "", *, seed: str = SEED, val: float = VAL_FRACTION
) -> dict[Any, str]:
    """Assign every case key to a split, and mend official splits that put a subject on two sides.

    The official split of a case is kept. Where there is no official validation part, the share `val` of the
    training subjects is taken. A subject with cases in an official test part and elsewhere keeps the test
    cases only (the rest is held out); one in train and val goes to val as a whole.

    Returns:
        Case key -> `train`, `val`, `test` or `held_out`.
    """
    official: dict[str, set[str | None]] = defaultdict(set)
    for case in cases:
        _check(case.key, case.split, SPLITS)
        official[_subject(case)].add(case.split)
    records = []
    for case in cases:
        subject, split = _subject(case), case.split
        if "test" in official[subject]:
            split = "test" if split == "test" else HELD_OUT
        elif "val" in official[subject]:
            split = "val"
        records.append(Record(case.key, subject, split, dataset))
    shares = {} if any(case.split == "val" for case in cases) else {"val": val}
    return split_by_subject(records, shares, seed=seed, exact=False)


def _subject(case: Case) -> str:
    return f"case:{case.key}" if case.subject is None else case.subject
