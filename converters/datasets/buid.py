"""BUID (QAMEBI): breast lesions, BMP images with TIFF masks, numbered anew in each class."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from ..engine.errors import CaseError
from ..engine.find import glob, match
from ..engine.recipes import binary_still
from ..engine.types import Card, Case, Category, Dataset

NAME = re.compile(r"(\d+) (Benign|Malignant) (?:Image|Mask)", re.IGNORECASE)


def key(path: Path) -> str | None:
    """Class and number."""
    found = NAME.fullmatch(path.stem)
    return f"{found[2].capitalize()}/{found[1]}" if found else None


def cases(root: Path) -> Iterator[Case | CaseError]:
    """Image and mask by class and number; `Lesion.bmp` is a picture for readers."""
    images, masks = glob(root, "**/* Image.bmp"), glob(root, "**/* Mask.{tif,tiff}")
    for found in match(images, masks, key, key):
        if isinstance(found, CaseError):
            yield found
        else:
            name = key(found[0]) or ""
            yield Case(name, {"image": found[0], "mask": found[1]}, label=name.split("/")[0])


DATASET = Dataset(
    name="buid",
    card=Card(
        title="Breast Ultrasound Images Database (BUID, QAMEBI)",
        link="https://qamebi.com/breast-ultrasound-images-database/",
        citation="Ardakani et al. 2023",
        anatomy="breast",
        application="breast lesion",
        organ="breast",
        images=232,
        masks=232,
        tree="BUID/{Benign,Malignant}.zip"
        "\n  Benign/1 Benign Image.bmp, 1 Benign Lesion.bmp, 1 Benign Mask.tif ...\n"
        "  Malignant/1 Malignant Image.bmp ...",
        quirks=(
            "numbers restart in each class",
            "`Lesion.bmp` shows the lesion drawn into the image and is ignored",
        ),
        guesses=("masks are black and white: foreground is 128 and up",),
        facts={"mode": "2D diagnostic planes", "patients": "109 benign, 123 malignant"},
    ),
    categories=(Category("breast_nodule", "breast lesion"),),
    cases=cases,
    read=binary_still("breast_nodule"),
    needs=("**/* Image.bmp", "**/* Mask.{tif,tiff}"),
)
