"""C-TRUS: the wall of the colon in transabdominal ultrasound, masks in JPEG."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from ..engine.errors import CaseError
from ..engine.find import glob, pairs
from ..engine.masks import binary
from ..engine.read import gray, image, table
from ..engine.types import Card, Case, Category, Dataset, Frame


def cases(root: Path) -> Iterator[Case | CaseError]:
    """Patient, quality and fold from the table."""
    path = glob(root, "c-trus.csv")[0]
    columns = ("file", "quality_name", "patient", "testitem_in_fold")
    rows = {Path(row["file"]).stem: row for row in table(path, columns)}
    for case in pairs(root, "original/*.jpg", "labels/*.jpg"):
        if isinstance(case, CaseError):
            yield case
        elif case.key in rows:
            row = rows[case.key]
            yield replace(
                case, subject=row["patient"], label=row["quality_name"], data=row["testitem_in_fold"]
            )
        else:
            yield CaseError(case.files["image"], f"not listed in {path.name}, so its patient is unknown")


def read(case: Case) -> Iterator[Frame]:
    """Foreground is 128 and up: the masks are JPEG."""
    picture = image(case.files["image"])
    extra = {"quality": case.label, "fold": int(case.data)}
    yield Frame(picture, binary(gray(case.files["mask"]), "colon_wall"), extra=extra)


DATASET = Dataset(
    name="c_trus",
    card=Card(
        title="C-TRUS: Colon Wall Segmentation in Transabdominal Ultrasound",
        link="https://github.com/wwu-mmll/c-trus",
        citation="Leenings et al. 2024, doi 10.1007/978-3-031-73647-6_10",
        anatomy="colon wall",
        application="ulcerative colitis",
        organ="gastrointestinal",
        images=508,
        masks=827,
        subjects=13,
        tree="c-trus/\n  c-trus.csv\n  original/013X3BP.jpg ...\n  labels/<same names>",
        quirks=(
            "masks are JPEG: foreground is 128 and up",
            "319 of 827 images show no colon wall and have a black mask",
            "thirteen patients: about 60 images of each, so a split by image leaks",
            "five official folds are kept as `fold` and are no split",
        ),
        facts={
            "mode": "2D+t",
            "device": "Toshiba Xario",
            "machines": "one",
            "geography": "Germany",
            "metadata": "image quality",
            "split_sizes": "five folds",
            "sample": "frame of a sequence",
            "patients": "13 with ulcerative colitis",
        },
    ),
    categories=(Category("colon_wall", "gastrointestinal"),),
    cases=cases,
    read=read,
    needs=("original/*.jpg", "labels/*.jpg", "c-trus.csv"),
)
