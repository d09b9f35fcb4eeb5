"""A data set made on the spot, in a module that worker processes can import."""

from __future__ import annotations

import os
import signal
import time
from functools import partial
from pathlib import Path

import numpy as np
from ultrasam.converters import Card, Case, Category, Dataset, Frame, Object, Skip

COUNT = 24


def blobs(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 255, (40, 50), dtype=np.uint8)
    mask = np.zeros((40, 50), bool)
    mask[5 : 5 + seed % 9 + 3, 7:20] = True
    mask[30:38, 30 + seed % 5 : 45] = True
    return image, mask


def cases(root: Path) -> list[Case]:
    return [Case(f"{i:03d}", subject=f"s{i // 3}", data=i) for i in range(COUNT)]


def read(case: Case):
    image, mask = blobs(case.data)
    if case.data == 5:
        yield Skip("left out on purpose")
        return
    if case.data == 6:
        raise ValueError("broken on purpose")
    yield Frame(image, [Object("lesion", mask)])


def slow(case: Case):
    time.sleep(0.02)
    yield from read(case)


def toy(**changes) -> Dataset:
    values = dict(name="toy", card=Card("Toy"), categories=(Category("lesion"),), cases=cases, read=read)
    return Dataset(**{**values, **changes})


def deadly(case: Case):
    """Kills its worker: always of case 7, and the first time of case 9 (`Case.data` is number and folder)."""
    number, folder = case.data
    first = Path(folder) / "died"
    if number == 7 or (number == 9 and not first.exists()):
        first.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    yield from read(Case(case.key, data=number))


def deadly_cases(folder: Path, root: Path) -> list[Case]:
    return [Case(f"{i:03d}", subject=f"s{i // 3}", data=(i, str(folder))) for i in range(COUNT)]


def deadly_toy(folder: Path) -> Dataset:
    """All cases of `toy`, some of which kill; `folder` keeps what happened."""
    return toy(cases=partial(deadly_cases, folder), read=deadly)
