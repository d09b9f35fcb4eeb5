"""CCAUI: common carotid artery, equal names in two folders."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..engine.errors import CaseError
from ..engine.find import pairs
from ..engine.recipes import binary_still
from ..engine.types import Card, Case, Category, Dataset


def cases(root: Path) -> Iterator[Case | CaseError]:
    """Grouped by the day of the recording, the first eight digits of the name."""
    return pairs(
        root, "US images/*.png", "Expert mask images/*.png", make=lambda key, path: {"subject": key[:8]}
    )


DATASET = Dataset(
    name="ccaui",
    card=Card(
        title="Common Carotid Artery Ultrasound Images (CCAUI)",
        link="https://data.mendeley.com/datasets/d4xt63mgjm/1",
        citation="Momot 2022",
        license="CC BY 4.0",
        commercial=True,
        anatomy="common carotid artery",
        application="vascular (carotid)",
        organ="vessel",
        images=1100,
        masks=1100,
        subjects=11,
        tree="Common Carotid Artery Ultrasound Images/"
        "\n  US images/202201121748100022VAS_slice_1393.png ...\n"
        "  Expert mask images/<same names>",
        quirks=(
            "frames of one recording are near duplicates: recordings of one day stay on one side",
            "both folders hold the same names",
        ),
        guesses=("a day of recording never shares a subject with another day",),
        facts={
            "mode": "2D+t",
            "device": "Mindray UMT-500Plus, L13-3s linear",
            "machines": "one",
            "centres": "one",
            "patients": "11 subjects",
            "annotation": "experts",
        },
    ),
    categories=(Category("carotid_artery", "vessel"),),
    cases=cases,
    read=binary_still("carotid_artery"),
    needs=("US images/*.png", "Expert mask images/*.png"),
)
