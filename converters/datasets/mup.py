"""MUP: the prostate in micro-ultrasound sweeps, expert masks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..engine.errors import CaseError
from ..engine.find import glob, match
from ..engine.masks import field_of_view
from ..engine.recipes import stack
from ..engine.types import Array, Card, Case, Category, Dataset


def key(path: Path) -> str:
    """`microUS_train_01` and `expert_annotation_train_01` are `train_01`: numbers restart in test."""
    name = path.name.removesuffix(".gz").removesuffix(".nii")
    return "_".join(name.split("_")[-2:])


def cases(root: Path) -> Iterator[Case | CaseError]:
    """Exact folder names: `non_expert_annotations` are not the ground truth."""
    for split in ("train", "test"):
        images = glob(root, f"{split}/micro_ultrasound_scans/*.nii.gz")
        masks = glob(root, f"{split}/expert_annotations/*.nii.gz")
        for found in match(images, masks, key, key):
            if isinstance(found, CaseError):
                yield found
            else:
                name = key(found[0])
                yield Case(name, {"image": found[0], "mask": found[1]}, subject=name, split=split)


def clip(values: Array, pictures: Array) -> Array:
    """0/1 or 0/255 to 0/1, within the field of view of the sweep."""
    present = set(np.unique(values).tolist())
    if not present <= {0, 1, 255} or {1, 255} <= present:
        raise ValueError(f"label values {sorted(present)[:8]}, expected 0/1 or 0/255")
    return np.where(field_of_view(pictures), values > 0, False).astype(np.int64)


DATASET = Dataset(
    name="mup",
    card=Card(
        title="MUP: Micro-Ultrasound Prostate Segmentation Dataset",
        link="https://zenodo.org/records/10475293",
        citation="Jiang et al., MicroSegNet, 2024",
        anatomy="prostate",
        application="prostate",
        organ="prostate",
        masks=75,
        subjects=75,
        tree="Micro_Ultrasound_Prostate_Segmentation_Dataset/"
        "\n  train/micro_ultrasound_scans/microUS_train_01.nii.gz ...\n"
        "  train/expert_annotations/expert_annotation_train_01.nii.gz ...\n  test/...",
        quirks=(
            "numbers restart in test: train_01 and test_01 are different men",
            "annotations of students and clinicians are not the ground truth",
            "frames are stored upside down: flipped vertically",
            "labels reach over the black border: clipped to the field of view of the sweep, holes filled",
            "license CC BY 4.0 is not confirmed: counted as not stated",
        ),
        guesses=("masks are 0/1 or 0/255; others are refused",),
        differs=("official test volumes stay apart",),
        facts={
            "mode": "3D",
            "device": "29 MHz micro-ultrasound, transrectal",
            "machines": "one",
            "centres": "one",
            "geography": "USA",
            "patients": "75 men",
            "split_sizes": "55/20",
            "annotation": "expert",
            "sample": "volume",
        },
    ),
    categories=(Category("prostate", "prostate"),),
    cases=cases,
    read=stack({1: "prostate"}, flip=(1,), adjust=clip),
    needs=("train/micro_ultrasound_scans/*.nii.gz", "train/expert_annotations/*.nii.gz"),
)
