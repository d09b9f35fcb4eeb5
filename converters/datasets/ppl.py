"""PPL: the pleural line in lung ultrasound, one image a patient."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..engine.errors import CaseError
from ..engine.find import pairs
from ..engine.recipes import two_valued_still
from ..engine.types import Card, Case, Category, Dataset, Instances


def key(path: Path) -> str:
    """Patient and image."""
    return f"{path.parent.name}/{path.stem}"


def cases(root: Path) -> Iterator[Case | CaseError]:
    """A folder for each patient, on both sides."""
    return pairs(
        root,
        "images/*/*.png",
        "masks/*/*.png",
        key,
        key,
        lambda name, path: {"subject": name.split("/")[0]},
    )


DATASET = Dataset(
    name="ppl",
    card=Card(
        title="PPL: pleural line in lung ultrasound",
        link="https://doi.org/10.5281/zenodo.22770825",
        citation="Lung Ultrasound Dataset (PPL); see the SonoCorpus manifest",
        anatomy="pleural line",
        application="lung",
        organ="lung",
        images=2756,
        masks=2756,
        subjects=2756,
        tree="Lung Ultrasound Dataset/\n  five_fold_split.xlsx\n  {images,masks}/<patient>/1.png",
        quirks=(
            "the line is thin: pieces at the image border are kept",
            "five official folds stand in a spreadsheet that is not read",
        ),
        guesses=("a mask has 0 and one other value; more are refused",),
        layout="the loader of a public project",
        facts={"mode": "2D diagnostic planes", "patients": "2,756", "split_sizes": "five folds"},
    ),
    categories=(Category("pleural_line", "lung"),),
    cases=cases,
    read=two_valued_still("pleural_line"),
    instances=Instances(border_strip=0),
    needs=("images/*/*.png", "masks/*/*.png"),
)
