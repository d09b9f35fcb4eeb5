"""SegThy: thyroid, carotid and jugular in labeled 3D sweeps of volunteers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..engine.errors import CaseError
from ..engine.find import pairs
from ..engine.recipes import stack
from ..engine.types import Card, Case, Category, Dataset

IMAGES = "ground_truth_data/US/*_US.{nii,nii.gz}"
MASKS = "ground_truth_data/US_thyroid_label/*.{nii,nii.gz}"
NAMES = {1: "thyroid", 2: "carotid", 4: "carotid", 3: "jugular", 5: "jugular"}


def key(path: Path) -> str:
    """`001_P1_1_left[_US].nii` -> `001_P1_1_left`."""
    return path.name.removesuffix(".gz").removesuffix(".nii").removesuffix("_US")


def cases(root: Path) -> Iterator[Case | CaseError]:
    """Labeled sweeps only; all sweeps of a volunteer belong together."""
    return pairs(
        root, f"**/{IMAGES}", f"**/{MASKS}", key, key, lambda name, path: {"subject": name.split("_")[0]}
    )


DATASET = Dataset(
    name="segthy",
    card=Card(
        title="SegThy: thyroid and neck segmentation (ultrasound ground-truth part)",
        link="https://www.cs.cit.tum.de/camp/publications/segthy-dataset/",
        citation="Kroenke et al. 2022",
        anatomy="thyroid, carotid artery, jugular vein",
        application="thyroid / neck",
        organ="thyroid",
        tree="US_data.zip -> US_data/US_volunteer_dataset/ground_truth_data/\n  US/001_P1_1_left_US.nii ...\n"
        "  US_thyroid_label/001_P1_1_left.nii ...",
        quirks=(
            "only ground_truth_data has manual labels",
            "slices are stored turned by 180 degrees",
            "labels 4 and 5 are the vessels of the other side",
            "license CC BY 4.0 is not confirmed: counted as not stated",
        ),
        guesses=("label values are 0 to 5; others are refused",),
        differs=("labels 4 and 5 are kept",),
        facts={
            "mode": "3D",
            "centres": "one",
            "geography": "Germany",
            "operators": "three physicians",
            "patients": "28 volunteers",
            "multimodal": "MR of the same subjects",
            "sample": "sweep",
        },
    ),
    categories=(Category("thyroid", "neck"), Category("carotid", "neck"), Category("jugular", "neck")),
    cases=cases,
    read=stack(NAMES, flip=(1, 2)),
    needs=(f"**/{IMAGES}", f"**/{MASKS}"),
)
