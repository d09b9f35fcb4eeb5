"""BUSI-WHU: breast lesions in three official parts, BMP pairs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..engine.errors import CaseError
from ..engine.find import pairs
from ..engine.recipes import two_valued_still
from ..engine.types import Card, Case, Category, Dataset

PARTS = {"train": "train", "valid": "val", "test": "test"}


def cases(root: Path) -> Iterator[Case | CaseError]:
    """`img/ori/0001.bmp` and `gt/ori/0001_anno.bmp`."""
    for folder, split in PARTS.items():
        yield from pairs(
            root,
            f"{folder}/img/ori/*.{{bmp,png}}",
            f"{folder}/gt/ori/*.{{bmp,png}}",
            mask=lambda path: path.stem.removesuffix("_anno"),
            make=lambda key, path, split=split: {"split": split},  # type: ignore[misc]
            prefix=f"{split}/",
        )


DATASET = Dataset(
    name="busi_whu",
    card=Card(
        title="BUSI_WHU: Breast Cancer Ultrasound Image Dataset",
        link="https://doi.org/10.5281/zenodo.22770825",
        citation="BUSI_WHU, Wuhan University; see the SonoCorpus manifest",
        anatomy="breast",
        application="breast lesion",
        organ="breast",
        tree="BUSI_WHU Breast Cancer Ultrasound Image  Dataset/ (zip, rar in it)\n"
        "  {train,valid,test}/img/ori/0001.bmp ...\n  {train,valid,test}/gt/ori/0001_anno.bmp ...",
        quirks=(
            "no patient ids: near duplicates may fall on both sides, run the audit",
            "only the folders `ori` are taken: others hold altered copies",
        ),
        guesses=("a mask has 0 and one other value; more are refused",),
        layout="the loader of a public project",
        facts={"mode": "2D diagnostic planes", "geography": "China", "split_sizes": "three folders"},
    ),
    categories=(Category("breast_nodule", "breast lesion"),),
    cases=cases,
    read=two_valued_still("breast_nodule"),
    needs=("train/img/ori/*.{bmp,png}", "train/gt/ori/*.{bmp,png}"),
)
