"""Simulated ultrasound as one more data set of the converters' engine."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from ultrasam.converters.engine.run import Report, convert
from ultrasam.converters.engine.types import Card, Case, Category, Dataset, Frame, Instances, Object
from ultrasam.phantom import CATEGORIES, simulate

# Of every twenty images three are for testing and one is for validation.
_TEST, _VAL = (6, 13, 19), (9,)


def write_phantoms(out: Path, num: int, *, seed: int = 0, size: int = 256, workers: int = 1) -> Report:
    """Write ``num`` simulated images with exact masks to ``out/phantom`` as PNG and COCO.

    Args:
        out: the folder that holds a folder for each data set.
        num: images in all; 80 % train, 5 % validate, 15 % test.
        seed: another seed gives other images.
        size: longest side in pixels.
        workers: processes.
    """
    return convert(phantom_dataset(num, seed=seed, size=size), None, out, workers=workers, progress=True)


def phantom_dataset(num: int, *, seed: int = 0, size: int = 256) -> Dataset:
    """The simulator as a data set whose cases are numbers."""
    return Dataset(
        name="phantom",
        card=Card(
            title="Simulated B-mode ultrasound",
            license="Apache-2.0",
            anatomy="simulated",
            application="segmentation",
            organ="phantom",
            images=num,
            commercial=True,
        ),
        categories=tuple(Category(name, "simulated") for name in CATEGORIES),
        cases=partial(_cases, num, seed, size),
        read=_read,
        instances=Instances(components=False),
    )


def _cases(num: int, seed: int, size: int, root: Path) -> list[Case]:
    return [
        Case(key=f"{seed}_{index:06d}", split=split_of(index), data=(seed, index, size))
        for index in range(num)
    ]


def split_of(index: int) -> str:
    """The part of a simulated set that its image or cine of this index belongs to."""
    return "test" if index % 20 in _TEST else "val" if index % 20 in _VAL else "train"


def _read(case: Case) -> Iterator[Frame]:
    seed, index, size = case.data
    phantom = simulate(seed, index, size=size)
    objects = [Object(item.category, item.mask, whole=True) for item in phantom.objects]
    share = 100 * sum(item.mask.mean() for item in phantom.objects)
    extra = {"geometry": phantom.geometry, "scene": phantom.organ, "object_share": round(float(share), 2)}
    yield Frame(phantom.image, objects, extra=extra)
