"""BUSIS: a benchmark of breast lesions from three hospitals and five scanners."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..engine.errors import CaseError
from ..engine.find import pairs
from ..engine.recipes import two_valued_still
from ..engine.types import Card, Case, Category, Dataset


def bare(path: Path) -> str:
    """The name without what marks a mask."""
    return path.stem.lower().removesuffix("_gt").removesuffix("_mask")


def cases(root: Path) -> Iterator[Case | CaseError]:
    """Images and masks of equal names in two folders."""
    types = "{png,bmp,jpg,jpeg,tif}"
    return pairs(root, f"Original/*.{types}", f"GT/*.{types}", bare, bare)


DATASET = Dataset(
    name="busis",
    card=Card(
        title="BUSIS: a benchmark for breast ultrasound image segmentation",
        link="http://cvprip.cs.usu.edu/busbench/",
        citation="Zhang et al., Healthcare 2022; Xian et al., arXiv 1801.03182",
        access="request",
        anatomy="breast",
        application="breast lesion",
        organ="breast",
        images=562,
        masks=562,
        subjects=None,
        tree="BUSIS/\n  Original/<name>.<png or bmp> ...\n  GT/<name>.<png or bmp> ...",
        quirks=("no patient ids: near duplicates may fall on both sides, run the audit",),
        guesses=(
            "masks have the names of their images, with or without _GT or _mask behind; others are reported",
            "a mask has 0 and one other value; more are refused",
        ),
        layout="not verified: the two folders are named by a public project, the names in them are checked",
        facts={
            "mode": "2D diagnostic planes",
            "device": "GE Vivid 7 and LOGIQ E9, Hitachi EUB-6500, Philips iU22, Siemens ACUSON S2000",
            "machines": "several",
            "centres": "several",
            "geography": "China",
            "annotation": "four radiologists",
        },
    ),
    categories=(Category("breast_nodule", "breast lesion"),),
    cases=cases,
    read=two_valued_still("breast_nodule"),
    needs=("Original/*.{png,bmp,jpg,jpeg,tif}", "GT/*.{png,bmp,jpg,jpeg,tif}"),
)
