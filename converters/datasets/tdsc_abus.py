"""TDSC-ABUS 2023: tumors in automated breast volumes, NRRD with masks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..engine.errors import CaseError
from ..engine.find import glob, match
from ..engine.recipes import stack
from ..engine.types import Card, Case, Category, Dataset

PARTS = {"train": "train", "validation": "val", "val": "val", "test": "test"}


def number(path: Path) -> str:
    """`DATA_007` and `MASK_007` are both 007."""
    return path.stem.rpartition("_")[2]


def part(path: Path) -> str | None:
    """The official part, from the folder round `DATA`."""
    return PARTS.get(path.parent.parent.name.lower())


def cases(root: Path) -> Iterator[Case | CaseError]:
    """Numbers go on over the parts."""
    images, masks = glob(root, "**/DATA/DATA_*.nrrd"), glob(root, "**/MASK/MASK_*.nrrd")
    for found in match(images, masks, number, number):
        if isinstance(found, CaseError):
            yield found
        else:
            name, files = number(found[0]), {"image": found[0], "mask": found[1]}
            yield Case(name, files, subject=name, split=part(found[0]))


DATASET = Dataset(
    name="tdsc_abus",
    card=Card(
        title="TDSC-ABUS 2023: tumors in automated 3D breast ultrasound",
        link="https://tdsc-abus2023.grand-challenge.org/",
        citation="TDSC-ABUS 2023, MICCAI",
        access="registration",
        anatomy="breast",
        application="breast lesion",
        organ="breast",
        subjects=200,
        tree="{Train,Validation,Test}/\n  DATA/DATA_000.nrrd ...\n  MASK/MASK_000.nrrd ...",
        quirks=(
            "slices along the first axis of the array, as acquired; those without a tumor are counted",
            "about 800 x 600 x 300 voxels: a volume takes some GiB while it is read",
        ),
        guesses=("mask values are 0 and 1; others are refused",),
        unchecked=("a volume is of one patient",),
        layout="the description of a public loader, and another's code",
        facts={
            "mode": "3D",
            "device": "GE Invenia ABUS",
            "machines": "one",
            "centres": "one",
            "geography": "China",
            "split_sizes": "100/30/70",
            "metadata": "benign or malignant",
            "challenge": "TDSC-ABUS, MICCAI 2023",
            "annotation": "radiologists",
            "sample": "volume",
        },
    ),
    categories=(Category("breast_tumor", "breast lesion"),),
    cases=cases,
    read=stack({1: "breast_tumor"}),
    needs=("**/DATA/DATA_*.nrrd", "**/MASK/MASK_*.nrrd"),
)
