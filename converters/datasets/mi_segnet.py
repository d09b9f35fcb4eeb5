"""MI-SegNet: carotid arteries of several scanners, made for unseen domains."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..engine.errors import CaseError
from ..engine.find import pairs
from ..engine.recipes import two_valued_still
from ..engine.types import Card, Case, Category, Dataset

PARTS = {"Training": "train", "ValS": "val", "TS3": "test"}


def cases(root: Path) -> Iterator[Case | CaseError]:
    """`img0001` and `label0001`; numbers restart in each part."""
    for folder, split in PARTS.items():
        yield from pairs(
            root,
            f"{folder}/img/img*.png",
            f"{folder}/label/label*.png",
            lambda path: path.stem.removeprefix("img"),
            lambda path: path.stem.removeprefix("label"),
            lambda key, path, split=split: {"split": split},  # type: ignore[misc]
            prefix=f"{split}/",
        )


DATASET = Dataset(
    name="mi_segnet",
    card=Card(
        title="MI-SegNet carotid artery data (training and third test set)",
        link="https://github.com/yuan-12138/MI-SegNet",
        citation="Bi et al., MI-SegNet, MICCAI 2023, arXiv 2303.12649",
        anatomy="carotid artery",
        application="vascular (carotid)",
        organ="vessel",
        tree="MI_SegNet_dataset/\n  {Training,ValS,TS3}/img/img0001.png ...\n"
        "  {Training,ValS,TS3}/label/label0001.png ...",
        quirks=(
            "three official parts; the first two test sets are another archive",
            "no subjects: whether frames of one are in two official parts is not known",
        ),
        guesses=("a mask has 0 and one other value; more are refused",),
        layout="the loader of a public project",
        differs=("SonoBase calls it myocardium; the paper is on carotid arteries",),
        facts={"mode": "2D+t", "geography": "Germany", "machines": "several", "split_sizes": "three folders"},
    ),
    categories=(Category("carotid_artery", "vessel"),),
    cases=cases,
    read=two_valued_still("carotid_artery"),
    needs=("Training/img/img*.png", "Training/label/label*.png"),
)
