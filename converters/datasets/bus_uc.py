"""BUS_UC: breast lesions in class folders, beside a folder that repeats them all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..engine.errors import CaseError
from ..engine.find import glob, pairs
from ..engine.recipes import binary_still
from ..engine.types import Card, Case, Category, Dataset, Skip


def cases(root: Path) -> Iterator[Case | Skip | CaseError]:
    """The two class folders; `All` holds the same again. Stems stay text: 01 and 010 differ."""
    for label in ("Benign", "Malignant"):
        yield from pairs(
            root,
            f"{label}/images/*.png",
            f"{label}/masks/*.png",
            make=lambda key, path, label=label: {"label": label},  # type: ignore[misc]
            prefix=f"{label}/",
        )
    repeated = len(glob(root, "All/images/*.png"))
    if repeated:
        yield Skip("repeated in the folder All", repeated)


DATASET = Dataset(
    name="bus_uc",
    card=Card(
        title="BUS_UC breast ultrasound",
        link="https://data.mendeley.com/datasets/3ksd7w7jkx/1",
        citation="Iqbal and Sharif 2023",
        license="CC BY 4.0",
        commercial=True,
        anatomy="breast",
        application="breast lesion",
        organ="breast",
        images=811,
        masks=811,
        tree="BUS_UC/BUS_UC/\n  All/{images,masks}/*.png  (ignored)"
        "\n  {Benign,Malignant}/{images,masks}/<n>.png",
        quirks=(
            "the folder All repeats both classes",
            "some masks are of another size than their image: resized by nearest neighbor, counted",
            "images come from a website that feeds other breast sets as well: run the audit",
        ),
        facts={"mode": "2D diagnostic planes", "patients": "358 benign, 453 malignant"},
    ),
    categories=(Category("breast_benign", "breast lesion"), Category("breast_malignant", "breast lesion")),
    cases=cases,
    read=binary_still({"Benign": "breast_benign", "Malignant": "breast_malignant"}),
    needs=("Benign/images/*.png", "Benign/masks/*.png", "Malignant/images/*.png", "Malignant/masks/*.png"),
)
