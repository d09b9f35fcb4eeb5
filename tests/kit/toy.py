"""A data set made on the spot, in a module that worker processes can import."""

from __future__ import annotations

import time
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
