"""EchoCP: heart chambers in contrast echocardiography at rest and in the Valsalva manoeuvre."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..engine.errors import CaseError
from ..engine.find import pairs
from ..engine.recipes import stack
from ..engine.types import Card, Case, Category, Dataset


def key(path: Path) -> str:
    """`001_r_image.nii.gz` -> `001_r`."""
    return path.name.removesuffix(".gz").removesuffix(".nii").rpartition("_")[0]


def cases(root: Path) -> Iterator[Case | CaseError]:
    """Both videos of a patient belong together."""
    return pairs(
        root,
        "*_image.nii.gz",
        "*_label.nii.gz",
        key,
        key,
        lambda name, path: {"subject": name.split("_")[0]},
    )


DATASET = Dataset(
    name="echocp",
    card=Card(
        title="EchoCP: contrast transthoracic echocardiography for patent foramen ovale",
        link="https://www.kaggle.com/datasets/xiaoweixumedicalai/echocp",
        access="registration",
        anatomy="heart chambers",
        application="echocardiography",
        organ="heart",
        subjects=30,
        masks=60,
        tree="EchoCP_dataset.z01, EchoCP_dataset.change2zip  (taken as they are)\n"
        "  EchoCP_dataset/001_r_image.nii.gz, 001_r_label.nii.gz, 001_v_image.nii.gz ...",
        quirks=(
            "frames are stored turned by 180 degrees",
            "the download is a split zip whose last part is named .change2zip",
            "chambers that touch stay separate: one instance per label value and component",
            "bubbles fill the chambers in part of the frames",
        ),
        guesses=(
            "values are 1 left ventricle, 2 left atrium, 3 right atrium, 4 right ventricle; others are "
            "refused",
        ),
        differs=("touching chambers are not merged into one object",),
        facts={
            "mode": "2D+t",
            "patients": "30",
            "metadata": "PFO grade",
            "protocol": "apical four-chamber view, rest and Valsalva",
            "technique": "contrast-enhanced",
            "sample": "video",
        },
    ),
    categories=(Category("chamber", "heart"),),
    cases=cases,
    read=stack(dict.fromkeys((1, 2, 3, 4), "chamber"), flip=(1, 2)),
    needs=("*_image.nii.gz", "*_label.nii.gz"),
)
