"""Breast Ultrasound Dataset B (UDIAT): one mask per image."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..engine.errors import CaseError
from ..engine.find import pairs
from ..engine.recipes import binary_still
from ..engine.types import Card, Case, Category, Dataset


def cases(root: Path) -> Iterator[Case | CaseError]:
    """Pairs of equal names."""
    return pairs(root, "original/*.png", "GT/*.png")


DATASET = Dataset(
    name="bus_b",
    card=Card(
        title="Breast Ultrasound Dataset B (UDIAT)",
        link="http://www2.docm.mmu.ac.uk/STAFF/M.Yap/dataset.php",
        citation="Yap et al., JBHI 2018",
        license="research release agreement",
        access="request",
        anatomy="breast",
        application="breast lesion",
        organ="breast",
        images=163,
        masks=163,
        tree="BUS/ (or Dataset_B/)\n  DatasetB.xlsx\n  original/000001.png ...\n  GT/000001.png ...",
        quirks=("masks hold intermediate grays: foreground is 128 and up, specks are dropped and counted",),
        guesses=("numbers may have gaps: what has no partner is reported",),
        facts={
            "mode": "2D diagnostic planes",
            "device": "Siemens ACUSON Sequoia C512, linear",
            "machines": "one",
            "centres": "one",
            "geography": "Spain",
            "patients": "110 benign, 53 malignant",
        },
    ),
    categories=(Category("breast_nodule", "breast lesion"),),
    cases=cases,
    read=binary_still("breast_nodule"),
    needs=("original/*.png", "GT/*.png"),
)
