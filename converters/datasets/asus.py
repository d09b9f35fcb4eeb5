"""ASUS: bone echoes of the spine in tracked sweeps of eight volunteers, numpy arrays."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..engine.errors import CaseError
from ..engine.find import pairs
from ..engine.masks import binary
from ..engine.read import array
from ..engine.recipes import NO_LABEL
from ..engine.types import Card, Case, Category, Dataset, Frame, Instances, Skip


def prefix(path: Path) -> str:
    """`q000_ultrasound.npy` -> `q000`."""
    return path.stem.rpartition("_")[0]


def cases(root: Path) -> Iterator[Case | CaseError]:
    """One case a volunteer."""
    return pairs(
        root, "*_ultrasound.npy", "*_segmentation.npy", prefix, prefix, lambda key, path: {"subject": key}
    )


def read(case: Case) -> Iterator[Frame | Skip]:
    """Frames in [0, 1] to 8 bit, turned by 180 degrees."""
    pictures, values = array(case.files["image"]), array(case.files["mask"])
    if pictures.ndim != 4 or pictures.shape[3] != 1 or values.shape != pictures.shape:
        raise ValueError(
            f"arrays of shape {pictures.shape} and {values.shape}, expected (N, 128, 128, 1) twice"
        )
    if float(pictures.min(initial=0)) < 0 or float(pictures.max(initial=0)) > 1:
        raise ValueError("gray values are not between 0 and 1")
    empty = 0
    for index in range(len(pictures)):
        objects = binary(np.flip(values[index, ..., 0]) > 0.5, "spine", threshold=1)
        if not objects:
            empty += 1
            continue
        gray = np.rint(np.flip(pictures[index, ..., 0]).astype(np.float32) * 255).astype(np.uint8)
        yield Frame(gray, objects, index=index)
    if empty:
        yield Skip(NO_LABEL, empty)


DATASET = Dataset(
    name="asus",
    card=Card(
        title="Automatic Spine Ultrasound Segmentation (ASUS)",
        link="https://www.ncbi.nlm.nih.gov/pmc/articles/PMC7654705/",
        citation="Ungi et al. 2020",
        anatomy="spine",
        application="spine / scoliosis",
        organ="spine",
        images=2865,
        masks=2865,
        subjects=8,
        tree="ASUS/DataArrays.zip\n  DataArrays/q000_ultrasound.npy, q000_segmentation.npy ... q007_*",
        quirks=(
            "arrays are stored turned by 180 degrees",
            "images are 128 x 128 and echoes a few pixels wide: pieces from 4 pixels up are kept",
            "eight subjects: one of them is the validation set",
        ),
        guesses=("a prefix before the last underscore is a subject: the count is compared",),
        facts={"mode": "2D+t", "patients": "8 healthy volunteers", "sample": "frame of a tracked sweep"},
    ),
    categories=(Category("spine", "bone"),),
    cases=cases,
    read=read,
    instances=Instances(speck_area=0, min_area=4, border_strip=0),
    needs=("*_ultrasound.npy", "*_segmentation.npy"),
)
