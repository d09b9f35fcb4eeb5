"""S1: breast tumors of Guo et al., the class as the gray value of the mask."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..engine.errors import CaseError
from ..engine.find import glob, pairs
from ..engine.masks import fit
from ..engine.read import gray, image
from ..engine.types import Array, Card, Case, Category, Dataset, Frame, Object

FOLDERS = {"TrainingDataSet": "train", "TestingDataSet": "test"}


def cases(root: Path) -> Iterator[Case | CaseError]:
    """Numbers may restart in the second folder: folder and stem are the key."""
    for folder, split in FOLDERS.items():
        if glob(root, f"{folder}/BreastTumourImages/*"):
            yield from pairs(
                root,
                f"{folder}/BreastTumourImages/*.{{jpg,jpeg,png}}",
                f"{folder}/Expanded-3-channel-Labels/*.png",
                make=lambda key, path, split=split: {"split": split},  # type: ignore[misc]
                prefix=f"{folder}/",
            )


def grades(mask: Array) -> list[Object]:
    """Near 127 is benign, near 255 malignant; the gray rim of an interpolated white is no tumor."""
    from scipy import ndimage

    white = mask > 190
    middle = (mask >= 64) & ~white
    if white.any():
        middle &= ~ndimage.binary_dilation(white, np.ones((3, 3)), iterations=2)
    named = (("benign_tumour", middle), ("malignant_tumour", white))
    return [Object(name, found) for name, found in named if found.any()]


def read(case: Case) -> Iterator[Frame]:
    """Tolerant of intermediate values."""
    picture = image(case.files["image"])
    mask, notes = fit(gray(case.files["mask"]), (picture.shape[0], picture.shape[1]))
    yield Frame(picture, grades(mask), notes=notes)


DATASET = Dataset(
    name="s1",
    card=Card(
        title="S1: breast ultrasound images of Guo et al. 2021",
        link="https://www.ncbi.nlm.nih.gov/pmc/articles/PMC8205136/",
        citation="Guo et al., PLOS ONE 16(6):e0253202, 2021",
        license="CC BY 4.0",
        commercial=True,
        anatomy="breast",
        application="breast lesions",
        organ="breast",
        tree="Data/\n  TrainingDataSet/{BreastTumourImages,Expanded-3-channel-Labels}/<id>.{jpg,png}"
        "\n  TestingDataSet/...",
        quirks=(
            "General-1-channel-Labels is another copy and ignored",
            "gray values between the classes are cut at 64 and 190, the rim around white is cleared",
        ),
        guesses=("numbers restart in the test folder: both are kept apart by folder",),
        differs=("the official test part stays apart", "stray gray values are no category"),
        facts={"mode": "2D diagnostic planes", "geography": "China", "split_sizes": "two folders"},
    ),
    categories=(Category("benign_tumour", "breast lesion"), Category("malignant_tumour", "breast lesion")),
    cases=cases,
    read=read,
    needs=("TrainingDataSet/BreastTumourImages/*", "TrainingDataSet/Expanded-3-channel-Labels/*.png"),
)
