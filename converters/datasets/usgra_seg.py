"""usgra-seg: nerves and vessels for regional anaesthesia, palette masks of class numbers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..engine.errors import CaseError
from ..engine.find import pairs
from ..engine.recipes import label_still
from ..engine.types import Card, Case, Category, Dataset

PARTS = {"": "train", "test/": "test"}


def cases(root: Path) -> Iterator[Case | CaseError]:
    """The folder `test` lies in the folder of the others."""
    for folder, split in PARTS.items():
        yield from pairs(
            root,
            f"{folder}images/*.png",
            f"{folder}masks/*.png",
            make=lambda key, path, split=split: {"split": split},  # type: ignore[misc]
            prefix=f"{split}/",
        )


DATASET = Dataset(
    name="usgra_seg",
    card=Card(
        title="usgra-seg: nerves and vessels in ultrasound-guided regional anaesthesia",
        link="https://github.com/tmkand/usgra-seg",
        citation="tmkand, usgra-seg, 2025",
        license="CC BY 4.0",
        commercial=True,
        anatomy="nerves and vessels of neck, arm and leg",
        application="regional anaesthesia / nerve",
        organ="nerve",
        images=244,
        masks=244,
        tree="usgra-seg/dataset/\n  {images,masks}/0000.png ...\n  test/{images,masks}/0144.png ...",
        quirks=(
            "masks are palette images of the class numbers 0 to 2: the palette is not looked up",
            "an official test part of 40 images; subjects are not told",
        ),
        unchecked=("no volunteer is in both official parts",),
        facts={
            "mode": "2D diagnostic planes",
            "device": "Mindray TE7, L14-6Ns linear",
            "machines": "one",
            "centres": "one",
            "geography": "Germany",
            "years": "2025",
            "split_sizes": "204/40",
            "operators": "one",
            "operator": "an anaesthesiologist",
            "annotation": "the examiner, with labelme",
            "patients": "volunteers",
            "protocol": "five regions of neck, arm and leg",
        },
    ),
    categories=(Category("nerve", "nerve"), Category("vessel", "vessel")),
    cases=cases,
    read=label_still({1: "nerve", 2: "vessel"}),
    needs=("images/*.png", "masks/*.png", "test/images/*.png"),
)
