"""Which case trains, validates and tests: by subject, seeded, official splits kept."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence

from .errors import ConverterError
from .types import HELD_OUT, SPLITS, Case

SEED = "us-43d"
VAL_FRACTION = 0.05


def fraction(seed: str, subject: str) -> float:
    """A number in [0, 1) that depends on nothing but the seed and the subject."""
    digest = hashlib.sha256(f"{seed}\0{subject}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def subject_of(case: Case) -> str:
    """The subject, or the case itself where the source knows no subject."""
    return f"case:{case.key}" if case.subject is None else case.subject


def assign(cases: Sequence[Case], *, seed: str = SEED, val: float = VAL_FRACTION) -> dict[str, str]:
    """Assign every case key to a split; a subject is never on two sides.

    The official split of a case is kept. Where there is no official validation part, the share `val` of
    the training subjects with the lowest hash is taken, at least one if there are two. A subject with
    cases in an official test part and elsewhere keeps the test cases only (the rest is held out); one in
    train and val goes to val as a whole.

    Returns:
        Case key -> `train`, `val`, `test` or `held_out`.
    """
    groups: dict[str, list[Case]] = defaultdict(list)
    for case in cases:
        if case.split is not None and case.split not in SPLITS:
            raise ConverterError(f"{case.key}: unknown split {case.split!r}")
        groups[subject_of(case)].append(case)
    official_val = any(case.split == "val" for case in cases)
    free = [name for name, group in groups.items() if not {c.split for c in group} & {"val", "test"}]
    chosen = set() if official_val else _validation(free, seed, val)
    result: dict[str, str] = {}
    for name, group in groups.items():
        official = {case.split for case in group}
        side = "val" if name in chosen or "val" in official else "train"
        for case in group:
            if "test" in official:
                result[case.key] = "test" if case.split == "test" else HELD_OUT
            else:
                result[case.key] = side
    return result


def _validation(subjects: Sequence[str], seed: str, val: float) -> set[str]:
    ranked = sorted(subjects, key=lambda name: (fraction(seed, name), name))
    chosen = {name for name in ranked if fraction(seed, name) < val}
    if not chosen and len(ranked) > 1 and val > 0:
        chosen = {ranked[0]}
    return chosen
