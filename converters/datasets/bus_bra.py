"""BUS-BRA: breast lesions of 1,064 patients; fold 1 of 5 is UltraSam's test set."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..engine.errors import CaseError
from ..engine.find import glob, match
from ..engine.read import table
from ..engine.recipes import binary_still
from ..engine.types import Card, Case, Category, Dataset


def cases(root: Path) -> Iterator[Case | CaseError]:
    """Class and fold from the tables; both views of a case belong to one patient."""
    folds = {row["ID"]: row for row in table(glob(root, "5-fold-cv.csv")[0], ("ID", "Pathology", "kFold"))}
    patients = {row["ID"]: row["Case"] for row in table(glob(root, "bus_data.csv")[0], ("ID", "Case"))}
    images, masks = glob(root, "Images/bus_*.png"), glob(root, "Masks/mask_*.png")
    for found in match(images, masks, lambda path: path.stem[4:], lambda path: path.stem[5:]):
        if isinstance(found, CaseError):
            yield found
            continue
        row = folds.get(found[0].stem)
        if row is None or found[0].stem not in patients:
            yield CaseError(found[0], "not listed in 5-fold-cv.csv and bus_data.csv")
            continue
        yield Case(
            found[0].stem,
            {"image": found[0], "mask": found[1]},
            subject=patients[found[0].stem],
            split="test" if row["kFold"] == "1" else "train",
            label=row["Pathology"].lower(),
        )


DATASET = Dataset(
    name="bus_bra",
    card=Card(
        title="BUS-BRA: A Breast Ultrasound Dataset for Assessing CAD Systems",
        link="https://doi.org/10.5281/zenodo.8231412",
        citation="Gomez-Flores et al., Medical Physics 2024",
        license="custom permissive (MIT-like, citation required)",
        commercial=True,
        anatomy="breast",
        application="breast lesion",
        organ="breast",
        images=1875,
        masks=1875,
        subjects=1064,
        tree="BUSBRA/\n  Images/bus_0001-l.png ...  Masks/mask_0001-l.png ...\n  bus_data.csv  5-fold-cv.csv",
        quirks=(
            "the folds are patient-disjoint but their inner validation flags are not: validation is "
            "drawn by patient",
            "width and height in the table are wrong for four images: the file's are used",
            "masks are 1 bit",
        ),
        facts={
            "mode": "2D diagnostic planes",
            "device": "GE Logiq 5 and 7, Toshiba Aplio 300, U-Systems",
            "machines": "several",
            "geography": "Brazil",
            "centres": "one",
            "centre": "National Institute of Cancer, Rio de Janeiro",
            "annotation": "a senior ultrasonographer, by hand",
            "operators": "several",
            "metadata": "histology, BI-RADS, device, side",
            "patients": "1,064",
            "split_sizes": "folds of 376, 385, 366, 365, 383",
            "sample": "one or two views a patient",
        },
    ),
    categories=(
        Category("breast_nodule_benign", "breast lesion"),
        Category("breast_nodule_malignant", "breast lesion"),
    ),
    cases=cases,
    read=binary_still({"benign": "breast_nodule_benign", "malignant": "breast_nodule_malignant"}),
    needs=("Images/bus_*.png", "Masks/mask_*.png", "5-fold-cv.csv", "bus_data.csv"),
    benchmark=True,
)
