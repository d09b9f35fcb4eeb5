"""TN3K: thyroid nodules with JPEG masks and an official test part."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..engine.errors import CaseError
from ..engine.find import glob, pairs
from ..engine.recipes import binary_still
from ..engine.types import Card, Case, Category, Dataset


def cases(root: Path) -> Iterator[Case | CaseError]:
    """Numbers restart in the test part."""
    for part, split in (("trainval", "train"), ("test", "test")):
        if glob(root, f"{part}-image/*.jpg|{part}-mask/*.jpg"):
            yield from pairs(
                root,
                f"{part}-image/*.jpg",
                f"{part}-mask/*.jpg",
                make=lambda key, path, split=split: {"split": split},  # type: ignore[misc]
                prefix=f"{part}/",
            )


DATASET = Dataset(
    name="tn3k",
    card=Card(
        title="Thyroid Nodule 3K (TN3K)",
        link="https://github.com/haifangong/TRFE-Net-for-thyroid-nodule-segmentation",
        citation="Gong et al., TRFE-Net",
        anatomy="thyroid nodule",
        application="thyroid",
        organ="thyroid",
        images=3493,
        masks=3493,
        subjects=2421,
        tree="Thyroid Dataset/tn3k/\n  trainval-image/0000.jpg ...  trainval-mask/0000.jpg ...\n"
        "  test-image/0000.jpg ...  test-mask/0000.jpg ...",
        quirks=(
            "masks are JPEG: foreground is 128 and up, specks are dropped and counted",
            "several nodules in an image are genuine",
            "images may also be in other thyroid sets: run the audit",
        ),
        differs=("the official test part stays apart",),
        overlaps=("ddti", "tnscui"),
        facts={
            "mode": "2D diagnostic planes",
            "machines": "several",
            "centres": "one",
            "geography": "China",
            "years": "2016-2020",
            "patients": "2,421",
            "split_sizes": "2,879/614",
            "device": "linear",
        },
    ),
    categories=(Category("thyroid_nodule", "nodule"),),
    cases=cases,
    read=binary_still("thyroid_nodule"),
    needs=("trainval-image/*.jpg", "trainval-mask/*.jpg"),
)
