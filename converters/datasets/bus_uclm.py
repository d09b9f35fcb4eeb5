"""BUS-UCLM: breast lesions, the class as the color of the mask."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..engine.errors import CaseError
from ..engine.find import glob, pairs
from ..engine.masks import colors, fit
from ..engine.read import image, table
from ..engine.types import Card, Case, Category, Dataset, Frame

COLORS = {(0, 0, 0): None, (0, 255, 0): "benign_breast_lesion", (255, 0, 0): "malignant_breast_lesion"}
TEST = ("COPE", "ANFO", "ELCO", "CRCI", "FLKA")
LABELS = {"benign_breast_lesion": "benign", "malignant_breast_lesion": "malignant"}


def subject(stem: str) -> str:
    """The four letters in front; CHCO and CHVI share images and are one group."""
    code = stem[:4].upper()
    return "CHVI" if code == "CHCO" else code


def cases(root: Path) -> Iterator[Case | CaseError]:
    """Pairs of equal names, with the label of the table as a check."""
    rows = [row for path in glob(root, "INFO.csv") for row in table(path, ("Image", "Label"), delimiter=";")]
    label = {Path(row["Image"]).stem: row["Label"].lower() for row in rows}
    yield from pairs(
        root,
        "images/*.png",
        "masks/*.png",
        make=lambda key, path: {
            "subject": subject(key),
            "split": "test" if subject(key) in TEST else "train",
            "label": label.get(key),
        },
    )


def read(case: Case) -> Iterator[Frame]:
    """Colors in RGB order, exactly; they have to agree with the table."""
    picture = image(case.files["image"])
    mask, notes = fit(image(case.files["mask"]), (picture.shape[0], picture.shape[1]))
    objects, _ = colors(mask, COLORS)
    found = {LABELS[item.category] for item in objects} or {"normal"}
    if case.label and found != {case.label}:
        raise ValueError(f"the mask says {' and '.join(sorted(found))}, INFO.csv says {case.label}")
    yield Frame(picture, objects, notes=notes)


DATASET = Dataset(
    name="bus_uclm",
    card=Card(
        title="BUS-UCLM: Breast ultrasound lesion segmentation dataset",
        link="https://data.mendeley.com/datasets/7fvgj4jsp7/1",
        citation="Vallez et al., Scientific Data 2025",
        license="CC BY-NC 4.0",
        anatomy="breast",
        application="breast lesion",
        organ="breast",
        images=264,
        masks=264,
        subjects=38,
        tree="BUS-UCLM Breast ultrasound lesion segmentation dataset/BUS-UCLM/\n  INFO.csv"
        "\n  images/ALWI_000.png ...\n"
        "  masks/ALWI_000.png ...",
        quirks=(
            "licenses in the sources conflict (CC BY 4.0, CC BY-NC 4.0, CC BY-NC 3.0): treated as "
            "non-commercial",
            "419 normal images have a black mask",
            "CHCO_000-003 are CHVI_005, 008, 009, 013: the two codes are one subject",
            "a HESN image of another shape than its mask is refused",
        ),
        facts={
            "mode": "2D diagnostic planes",
            "device": "Siemens ACUSON S2000, linear",
            "machines": "one",
            "centres": "one",
            "years": "2022-2023",
            "geography": "Spain",
            "patients": "38",
            "doppler": "37 images",
            "metadata": "Doppler, marks, combined views",
            "split_sizes": "test: five patients",
        },
    ),
    categories=(
        Category("benign_breast_lesion", "breast lesion"),
        Category("malignant_breast_lesion", "breast lesion"),
    ),
    cases=cases,
    read=read,
    needs=("images/*.png", "masks/*.png", "INFO.csv"),
)
