"""TED: full cardiac cycles of the apical four-chamber view, MetaImage pairs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..engine.errors import CaseError
from ..engine.find import pairs
from ..engine.recipes import stack
from ..engine.types import Card, Case, Category, Dataset

NAMES = {1: "endocardium", 2: "epicardium", 3: "atrium_wall"}


def cases(root: Path) -> Iterator[Case | CaseError]:
    """A sequence a patient."""
    return pairs(
        root,
        "patient*/*_4CH_sequence.mhd",
        "patient*/*_4CH_sequence_gt.mhd",
        mask=lambda path: path.stem.removesuffix("_gt"),
        make=lambda key, path: {"subject": path.parent.name},
    )


DATASET = Dataset(
    name="ted",
    card=Card(
        title="TED: echocardiography segmentation with enforced temporal consistency, full cycles",
        link="https://humanheart-project.creatis.insa-lyon.fr/ted.html",
        citation="Painchaud et al., TMI 2022",
        anatomy="heart",
        application="cardiac",
        organ="heart",
        subjects=98,
        tree="database/patient001/\n  patient001_4CH_sequence.mhd and .raw, patient001_4CH_info.cfg\n"
        "  patient001_4CH_sequence_gt.mhd and .raw",
        quirks=(
            "the patients are some of CAMUS's under other numbers: never train on one and test on the other",
            "frames of a sequence are near duplicates: a patient stays on one side",
        ),
        guesses=("label values are 0 to 3, as in CAMUS; others are refused",),
        overlaps=("camus",),
        layout="the code of the authors and of three public projects",
        facts={
            "mode": "2D+t",
            "machines": "one",
            "centres": "one",
            "geography": "France",
            "patients": "98",
            "metadata": "sex, age, image quality, ejection fraction",
            "context": "a full cardiac cycle",
            "protocol": "apical four-chamber view",
            "sample": "sequence",
        },
    ),
    categories=tuple(Category(name, "heart") for name in NAMES.values()),
    cases=cases,
    read=stack(NAMES),
    needs=("patient*/*_4CH_sequence.mhd", "patient*/*_4CH_sequence_gt.mhd"),
)
