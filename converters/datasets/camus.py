"""CAMUS: left ventricle, myocardium and atrium in half-cycle sequences of two views."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..engine.errors import CaseError
from ..engine.find import glob, match
from ..engine.masks import field_of_view
from ..engine.read import lines
from ..engine.recipes import stack
from ..engine.types import Array, Card, Case, Category, Dataset, Skip

SPLITS = {"training": "train", "validation": "val", "testing": "test"}


def cases(root: Path) -> Iterator[Case | Skip | CaseError]:
    """The half sequences; the ED and ES files repeat two of their frames."""
    split: dict[str, str] = {}
    for word, side in SPLITS.items():
        for path in glob(root, f"database_split/subgroup_{word}.txt"):
            split.update(dict.fromkeys(lines(path), side))
    images = glob(root, "database_nifti/patient*/*_half_sequence.nii.gz")
    masks = glob(root, "database_nifti/patient*/*_half_sequence_gt.nii.gz")
    for found in match(images, masks, key, lambda path: key(path).removesuffix("_gt")):
        if isinstance(found, CaseError):
            yield found
            continue
        patient = found[0].parent.name
        yield Case(
            f"{patient}/{key(found[0])}",
            {"image": found[0], "mask": found[1]},
            subject=patient,
            split=split.get(patient, "train") if split else None,
        )
    stills = len(glob(root, "database_nifti/patient*/*_{ED,ES}.nii.gz"))
    if stills:
        yield Skip("ED or ES file that repeats a frame of the sequence", stills)


def key(path: Path) -> str:
    """`patient0001_2CH_half_sequence[_gt]`."""
    return path.name.removesuffix(".gz").removesuffix(".nii")


def clip(values: Array, pictures: Array) -> Array:
    """Labels end at the border of the sector, black chambers inside it stay whole."""
    return np.where(field_of_view(pictures), values, 0)


DATASET = Dataset(
    name="camus",
    card=Card(
        title="CAMUS: Cardiac Acquisitions for Multi-structure Ultrasound Segmentation",
        link="https://humanheart-project.creatis.insa-lyon.fr/database/#collection/6373703d73e9f0047faa1bc8",
        citation="Leclerc et al., TMI 2019",
        license="CC BY-NC-SA 4.0",
        overlaps=("ted",),
        anatomy="heart",
        application="cardiac",
        organ="heart",
        images=19232,
        masks=19232,
        subjects=500,
        tree="CAMUS_public/"
        "\n  database_nifti/patient0001/patient0001_2CH_half_sequence.nii.gz, ..._gt.nii.gz (and 4CH)\n"
        "  database_split/subgroup_{training,validation,testing}.txt",
        quirks=(
            "ED and ES files repeat frames of the half sequence and are left out",
            "labels reach over the sector: clipped to the sector of the whole sequence, holes filled",
            "the myocardium is a ring",
        ),
        guesses=("label values are 0 to 3; others are refused",),
        differs=(
            "pixels that are 0 inside the sector keep their label",
            "official patient lists are the split",
        ),
        facts={
            "mode": "2D+t",
            "machines": "one",
            "centres": "one",
            "geography": "France",
            "patients": "500",
            "metadata": "sex, age, image quality, ejection fraction, frame rate",
            "split_sizes": "400/50/50 patients",
            "context": "half cardiac cycle",
            "challenge": "CAMUS",
            "protocol": "apical two- and four-chamber views",
        },
    ),
    categories=(
        Category("endocardium", "heart"),
        Category("epicardium", "heart"),
        Category("atrium_wall", "heart"),
    ),
    cases=cases,
    read=stack({1: "endocardium", 2: "epicardium", 3: "atrium_wall"}, adjust=clip),
    needs=("database_nifti/patient*/*_half_sequence.nii.gz",),
)
