"""FUGC: the lips of the uterine cervix in transvaginal ultrasound, few of many images labeled."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..engine.errors import CaseError
from ..engine.find import glob, pairs
from ..engine.recipes import label_still
from ..engine.types import Card, Case, Category, Dataset, Skip

PARTS = {"train/labeled_data": "train", "val": "val", "test": "test"}


def cases(root: Path) -> Iterator[Case | Skip | CaseError]:
    """The labeled images of all parts; numbers may repeat between them."""
    for folder, split in PARTS.items():
        yield from pairs(
            root,
            f"{folder}/images/*.png",
            f"{folder}/labels/*.png",
            make=lambda key, path, split=split: {"split": split},  # type: ignore[misc]
            prefix=f"{split}/",
        )
    bare = len(glob(root, "train/unlabeled_data/images/*.png"))
    if bare:
        yield Skip("unlabeled image", bare)


DATASET = Dataset(
    name="fugc",
    card=Card(
        title="FUGC 2025: semi-supervised segmentation of the cervix, Fetal Ultrasound Grand Challenge",
        link="https://zenodo.org/records/14305302",
        citation="Bai et al., ISBI 2025",
        anatomy="uterine cervix",
        application="preterm birth",
        organ="cervix",
        images=440,
        masks=440,
        tree="FUGC (Dataset)/dataset/\n  train/labeled_data/{images,labels}/<n>.png\n"
        "  train/unlabeled_data/images/<n>.png\n  {val,test}/{images,labels}/<n>.png",
        quirks=(
            "masks hold class numbers 0 to 2 and look black",
            "450 unlabeled training images are left out and counted",
            "official parts of 50, 90 and 300 labeled images",
        ),
        guesses=("label values are 1 and 2; others are refused",),
        unchecked=("value 1 is the anterior lip and value 2 the posterior",),
        layout="the loader of a public project and the organizers' page",
        facts={
            "mode": "2D diagnostic planes",
            "split_sizes": "50 (and 450 unlabeled)/90/300",
            "device": "curved vaginal probe, 2-10 MHz",
            "protocol": "transvaginal, empty bladder",
            "challenge": "FUGC, ISBI 2025",
            "annotation": "experts",
        },
    ),
    categories=(Category("anterior_lip", "cervix"), Category("posterior_lip", "cervix")),
    cases=cases,
    read=label_still({1: "anterior_lip", 2: "posterior_lip"}),
    needs=("train/labeled_data/images/*.png", "train/labeled_data/labels/*.png"),
)
