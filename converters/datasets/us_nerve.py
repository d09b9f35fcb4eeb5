"""Ultrasound Nerve Segmentation (Kaggle 2016): brachial plexus in frames of 47 subjects."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..engine.errors import CaseError
from ..engine.find import glob, match, stem
from ..engine.recipes import binary_still
from ..engine.types import Card, Case, Category, Dataset, Skip


def cases(root: Path) -> Iterator[Case | Skip | CaseError]:
    """`1_2.tif` and `1_2_mask.tif`: subject 1, image 2."""
    files = glob(root, "train/*.tif")
    masks = [path for path in files if path.stem.endswith("_mask")]
    images = [path for path in files if not path.stem.endswith("_mask")]
    for found in match(images, masks, stem, lambda path: path.stem.removesuffix("_mask")):
        if isinstance(found, CaseError):
            yield found
        else:
            name = found[0].stem
            yield Case(name, {"image": found[0], "mask": found[1]}, subject=name.split("_")[0])
    bare = len(glob(root, "test/*.tif"))
    if bare:
        yield Skip("test image without mask", bare)


DATASET = Dataset(
    name="us_nerve",
    card=Card(
        title="Ultrasound Nerve Segmentation (Kaggle 2016, training set)",
        link="https://www.kaggle.com/c/ultrasound-nerve-segmentation/data",
        license="competition rules",
        access="registration",
        anatomy="brachial plexus",
        application="regional anaesthesia / nerve",
        organ="nerve",
        images=2323,
        masks=2323,
        subjects=47,
        tree="ultrasound-nerve-segmentation/\n  train/1_1.tif, 1_1_mask.tif ..."
        "\n  test/1.tif ...  (no masks)",
        quirks=(
            "59 % of the masks are empty: left out unless empty images are kept",
            "near-identical frames exist with and without a mask: a subject stays on one side",
        ),
        differs=("called brachial_plexus",),
        facts={
            "mode": "2D+t",
            "patients": "47",
            "split_sizes": "5,635/5,508",
            "challenge": "Kaggle 2016",
            "sample": "frame",
        },
    ),
    categories=(Category("brachial_plexus", "nerve"),),
    cases=cases,
    read=binary_still("brachial_plexus"),
    needs=("train/*.tif", "train/*_mask.tif"),
)
