"""Leg 3D US: three muscles of the lower leg in compounded volumes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..engine.errors import CaseError
from ..engine.find import glob, match
from ..engine.recipes import slices
from ..engine.types import Card, Case, Category, Dataset, Frame, Skip
from ..engine.volumes import labels, to_uint8, volume

NAMES = {100: "soleus", 150: "gastrocnemius_medialis", 200: "gastrocnemius_lateralis"}
PARTS = {"train": "train", "val": "val", "test": "test"}


def image_key(path: Path) -> str | None:
    """Folder and the rest of `x<rest>.mha`."""
    return f"{path.parent.name}/{path.stem[1:]}" if path.stem.lower().startswith("x") else None


def mask_key(path: Path) -> str:
    """Folder and the rest of `masksX<rest>.mha`."""
    return f"{path.parent.name}/{path.stem[len('masksX') :]}"


def cases(root: Path) -> Iterator[Case | CaseError]:
    """A folder for each sweep, in the folders of the official parts."""
    for split in PARTS:
        images, masks = glob(root, f"{split}/*/x*.mha"), glob(root, f"{split}/*/masksX*.mha")
        for found in match(images, masks, image_key, mask_key):
            if isinstance(found, CaseError):
                yield found
            else:
                key = f"{split}/{image_key(found[0])}"
                files = {"image": found[0], "mask": found[1]}
                yield Case(key, files, subject=found[0].parent.name, split=split)


def read(case: Case) -> Iterator[Frame | Skip]:
    """Slices along the first axis; other structures than the three muscles are left out and noted."""
    pictures, notes = to_uint8(volume(case.files["image"]))
    values = labels(case.files["mask"], pictures.shape)
    others = sorted(set(np.unique(values).tolist()) - {0, *NAMES})
    notes = (*notes, *(f"label {value} is no muscle and left out" for value in others))
    yield from slices(pictures, np.where(np.isin(values, others), 0, values), NAMES, notes=notes)


DATASET = Dataset(
    name="leg_3d_us",
    card=Card(
        title="Leg 3D US: soleus and gastrocnemius in 3D ultrasound",
        link="https://www.cs.cit.tum.de/camp/publications/leg-3d-us-dataset/",
        citation="Gonzalez Duque et al., IJCARS 2024, doi 10.1007/s11548-024-03170-7",
        anatomy="lower leg muscles",
        application="muscle volume",
        organ="muscle",
        tree="{train,val,test}/<sweep>/\n  x<n>.mha\n  masksX<n>.mha",
        quirks=(
            "label values are 100, 150 and 200; other structures are left out and noted",
            "slices along the first axis of the array, as stored",
        ),
        unchecked=("a folder is a sweep of one subject, who is in no other official part",),
        layout="the loader of a public project",
        facts={
            "mode": "3D reconstructed from 2D",
            "geography": "Germany",
            "centres": "one",
            "split_sizes": "three archives",
            "sample": "sweep",
            "patients": "volunteers",
        },
    ),
    categories=tuple(Category(name, "muscle") for name in NAMES.values()),
    cases=cases,
    read=read,
    needs=("train/*/x*.mha", "train/*/masksX*.mha"),
)
