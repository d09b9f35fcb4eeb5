"""CCAUI: common carotid artery, equal names in two folders."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from ..engine.errors import CaseError
from ..engine.find import pairs
from ..engine.recipes import binary_still
from ..engine.types import Card, Case, Category, Dataset

#: Day, time and number of the recording; frame.
NAME = re.compile(r"(\d{18})VAS_slice_\d+", re.IGNORECASE)


def cases(root: Path) -> Iterator[Case | CaseError]:
    """Grouped by recording, the digits in front of `VAS`."""
    for case in pairs(root, "US images/*.png", "Expert mask images/*.png"):
        if isinstance(case, CaseError):
            yield case
        elif found := NAME.fullmatch(case.key):
            yield replace(case, subject=found[1])
        else:
            yield CaseError(case.files["image"], "unknown name; expected <recording>VAS_slice_<number>.png")


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
            "frames of one recording are near duplicates: a recording stays on one side",
            "all subjects were recorded on one day, so the day does not tell them apart",
            "both folders hold the same names",
        ),
        unchecked=("a recording shows a subject that no other recording shows",),
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
    version="2",
    needs=("US images/*.png", "Expert mask images/*.png"),
)
