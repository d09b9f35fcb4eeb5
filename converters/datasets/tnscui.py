"""TN-SCUI 2020: thyroid nodules, the challenge's training set in either of two packings."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..engine.errors import CaseError
from ..engine.find import glob, pairs
from ..engine.masks import binary
from ..engine.read import indices, table
from ..engine.recipes import still
from ..engine.types import Array, Card, Case, Category, Dataset, Object


def number(path: Path) -> str:
    """00001.png and 1.PNG are both 1."""
    return str(int(path.stem)) if path.stem.isdecimal() else path.stem


def cases(root: Path) -> Iterator[Case | CaseError]:
    """The official folders, or the VOC-like ones."""
    official = bool(glob(root, "mask/*.png"))
    images, masks = (
        ("image/*.png", "mask/*.png") if official else ("JPEGImages/*.jpg", "SegmentationClass/*.png")
    )
    rows = [row for path in glob(root, "train.csv") for row in table(path, ("ID", "CATE"))]
    labels = {number(Path(row["ID"])): {"0": "benign", "1": "malignant"}.get(row["CATE"]) for row in rows}
    return pairs(root, images, masks, number, number, lambda key, path: {"label": labels.get(key)})


def objects(mask: Array, case: Case) -> list[Object]:
    """0/255 with grays between, or class numbers 0/1."""
    return binary(mask, "thyroid_nodule", threshold=128 if mask.max(initial=0) > 1 else 1)


DATASET = Dataset(
    name="tnscui",
    card=Card(
        title="TN-SCUI 2020: thyroid nodule segmentation and classification, training set",
        link="https://tn-scui2020.grand-challenge.org/",
        access="registration",
        anatomy="thyroid nodule",
        application="thyroid",
        organ="thyroid",
        images=3644,
        masks=3644,
        tree="TNSCUI2020_train/\n  image/<id>.PNG  mask/<id>.PNG  train.csv\n"
        "or tnscui/\n  JPEGImages/<id>.jpg  SegmentationClass/<id>.png",
        quirks=(
            "masks are 0/255 or class numbers, also with a palette: both are understood",
            "some archives that go by this name hold the 637 images of DDTI: the count and the audit tell",
            "nodules of 274 pixels exist: no large floor",
        ),
        guesses=("one image an id",),
        overlaps=("ddti", "tn3k"),
        facts={
            "mode": "2D diagnostic planes",
            "centres": "several",
            "geography": "China",
            "patients": "3,644",
            "metadata": "benign or malignant",
            "split_sizes": "3,644/910",
            "challenge": "TN-SCUI, MICCAI 2020",
        },
    ),
    categories=(Category("thyroid_nodule", "nodule"),),
    cases=cases,
    read=still(objects, indices),
    needs=("image/*.png|JPEGImages/*.jpg", "mask/*.png|SegmentationClass/*.png"),
)
