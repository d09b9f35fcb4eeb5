"""105US: liver metastases, one gray mask per image."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..engine.errors import CaseError
from ..engine.find import pairs
from ..engine.recipes import binary_still
from ..engine.types import Card, Case, Category, Dataset


def number(path: Path) -> str | None:
    """`001 G man.png` and `001.png` are both 1."""
    first = path.stem.split()[0]
    return f"{int(first):03d}" if first.isdecimal() else None


def cases(root: Path) -> Iterator[Case | CaseError]:
    """Pairs by the leading number, whatever its padding."""
    return pairs(root, "**/105*US*Images/*.png", "**/105*US*Masks/*.png", number, number)


DATASET = Dataset(
    name="us105",
    card=Card(
        title="100 2D US Images and Tumor Segmentation Masks (105US)",
        link="https://www.researchgate.net/publication/329586355_100_2D_US_Images_and_Tumor_Segmentation_Mask"
        "s",
        anatomy="liver",
        application="liver lesion",
        organ="liver",
        images=105,
        masks=105,
        tree="105US/\n  105 US Images/001.png ... 105.png\n  105 US Masks/001 G man.png ... 105 G man.png",
        quirks=(
            "masks may hold intermediate grays: foreground is 128 and up",
            "no patient id: one image, one case",
        ),
        guesses=("the files are numbered 1 to 105 without gaps: the count is compared",),
        facts={"mode": "2D diagnostic planes", "patients": "metastases of pancreatic cancer"},
    ),
    categories=(Category("tumor", "liver lesion"),),
    cases=cases,
    read=binary_still("tumor"),
    needs=("**/105*US*Images/*.png", "**/105*US*Masks/*.png"),
)
