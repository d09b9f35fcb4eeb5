"""ACOUSLIC-AI: fetal abdomen in blind sweeps, 840 frames a stack of which few are annotated."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..engine.errors import CaseError
from ..engine.find import glob, match
from ..engine.masks import label_map
from ..engine.read import table
from ..engine.recipes import NO_LABEL
from ..engine.types import Card, Case, Category, Dataset, Frame, Skip
from ..engine.volumes import labels, to_uint8, volume

IMAGES = "images/stacked{_,-}fetal{_,-}ultrasound/*.mha"
MASKS = "masks/stacked{_,-}fetal{_,-}abdomen/*.mha"
TABLE = "circumferences/fetal_abdominal_circumferences_per_sweep.csv"
SWEEP = 140


def cases(root: Path) -> Iterator[Case | CaseError]:
    """Stacks with the subject from the table; a subject may have several."""
    path = glob(root, TABLE)[0]
    subjects = {row["uuid"]: row["subject_id"] for row in table(path, ("uuid", "subject_id"))}
    for found in match(glob(root, IMAGES), glob(root, MASKS)):
        if isinstance(found, CaseError):
            yield found
        elif found[0].stem not in subjects:
            yield CaseError(found[0], f"not listed in {path.name}, so its subject is unknown")
        else:
            files = {"image": found[0], "mask": found[1]}
            yield Case(found[0].stem, files, subject=subjects[found[0].stem])


def read(case: Case) -> Iterator[Frame | Skip]:
    """The annotated frames; optimal (1) and suboptimal (2) planes are the same structure."""
    pictures, notes = to_uint8(volume(case.files["image"]))
    values = labels(case.files["mask"], pictures.shape)
    annotated = np.flatnonzero(values.any(axis=(1, 2)))
    for index in annotated.tolist():
        objects = label_map(values[index], {1: "abdomen", 2: "abdomen"})
        merged = objects[0].mask if len(objects) == 1 else objects[0].mask | objects[1].mask
        plane = "optimal" if (values[index] == 1).any() else "suboptimal"
        extra = {"plane": plane, "sweep": index // SWEEP + 1}
        yield Frame(pictures[index], [type(objects[0])("abdomen", merged)], index, notes, extra)
    yield Skip(NO_LABEL, len(pictures) - len(annotated))


DATASET = Dataset(
    name="acouslic",
    card=Card(
        title="ACOUSLIC-AI: Abdominal Circumference Operator-agnostic UltraSound measurement, public "
        "training set",
        link="https://acouslic-ai.grand-challenge.org/datasets/",
        license="CC BY-NC-SA 4.0",
        anatomy="fetal abdomen",
        application="fetal biometry",
        organ="fetus",
        images=6620,
        masks=6620,
        tree=f"acouslic-ai-train-set/\n  {TABLE}\n  images/stacked_fetal_ultrasound/<uuid>.mha\n"
        "  masks/stacked_fetal_abdomen/<uuid>.mha",
        quirks=(
            "frames lie along axis 0; sweep = frame // 140 + 1",
            "more than 99 % of the frames are not annotated, which does not mean that there is no abdomen",
            "several stacks may be of one subject; the table may begin with a byte order mark",
        ),
        facts={
            "mode": "2D+t",
            "device": "Telemed MicrUs Pro-C60S convex",
            "machines": "one",
            "operators": "several",
            "operator": "novices after an hour of training, blind sweeps",
            "geography": "Sierra Leone",
            "centres": "several",
            "centre": "three public health units",
            "split_sizes": "300 public, 10 and 290 hidden",
            "protocol": "obstetric sweep protocol, six sweeps",
            "sample": "sweep of 140 frames",
            "metadata": "abdominal circumference per sweep",
            "challenge": "ACOUSLIC-AI",
            "annotation_description": "optimal and suboptimal planes are marked",
        },
    ),
    categories=(Category("abdomen", "fetal biometry"),),
    cases=cases,
    read=read,
    needs=(IMAGES, MASKS, TABLE),
)
