"""STU-Hospital: 42 small breast images with larger, smoothed masks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..engine.errors import CaseError
from ..engine.find import pairs
from ..engine.recipes import binary_still
from ..engine.types import Card, Case, Category, Dataset


def number(path: Path) -> str:
    """The number at the end of the name."""
    return path.stem.rpartition("_")[2]


def cases(root: Path) -> Iterator[Case | CaseError]:
    """`Test_Image_7.png` and `mask_7.png`."""
    return pairs(root, "Hospital/Test_Image_*.png", "Hospital/mask_*.png", number, number)


DATASET = Dataset(
    name="stu_hospital",
    card=Card(
        title="STU-Hospital breast ultrasound",
        link="https://github.com/xbhlk/STU-Hospital",
        citation="Zhuang et al. 2019, doi 10.1371/journal.pone.0221535",
        anatomy="breast",
        application="breast lesions",
        organ="breast",
        images=42,
        masks=42,
        tree="STU-Hospital/Hospital/\n  Test_Image_1.png ... Test_Image_42.png\n  mask_1.png ... mask_42.png",
        quirks=(
            "masks are of up to 512 pixels for images of 128: resized by nearest neighbor, counted",
            "masks have many gray values: foreground is 128 and up",
        ),
        differs=("called breast_lesion: no pathology is distributed",),
        facts={"mode": "2D diagnostic planes", "centres": "one", "geography": "China", "device": "linear"},
    ),
    categories=(Category("breast_lesion", "breast lesion"),),
    cases=cases,
    read=binary_still("breast_lesion"),
    needs=("Hospital/Test_Image_*.png", "Hospital/mask_*.png"),
)
