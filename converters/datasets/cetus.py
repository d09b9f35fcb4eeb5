"""CETUS: the left ventricle in 3D echocardiography at end diastole and end systole."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..engine.errors import CaseError
from ..engine.find import glob, match
from ..engine.recipes import stack
from ..engine.types import Card, Case, Category, Dataset


def key(path: Path) -> str:
    """`patient01_ED`."""
    return path.name.removesuffix(".gz").removesuffix(".nii").removesuffix("_gt")


def cases(root: Path) -> Iterator[Case | CaseError]:
    """Both phases of a patient belong together."""
    images = glob(root, "**/patient*/patient*_{ED,ES}.nii.gz")
    masks = glob(root, "**/patient*/patient*_{ED,ES}_gt.nii.gz")
    for found in match(images, masks, key, key):
        if isinstance(found, CaseError):
            yield found
        else:
            files = {"image": found[0], "mask": found[1]}
            yield Case(key(found[0]), files, subject=found[0].parent.name)


DATASET = Dataset(
    name="cetus",
    card=Card(
        title="CETUS: endocardial three-dimensional ultrasound segmentation, MICCAI 2014",
        link="https://humanheart-project.creatis.insa-lyon.fr/database/#collection/62eb991b73e9f0048c3a6c45",
        citation="Bernard et al., TMI 2016, doi 10.1109/TMI.2015.2503890",
        license="CC BY-NC-SA 4.0",
        anatomy="heart",
        application="cardiac",
        organ="heart",
        subjects=45,
        tree="dataset/patient01/\n  patient01_ED.nii.gz, patient01_ED_gt.nii.gz\n"
        "  patient01_ES.nii.gz, patient01_ES_gt.nii.gz",
        quirks=(
            "foreground is 255; gray values are whole numbers stored as floats",
            "slices along the last axis of the file, as the volume is stored",
        ),
        guesses=("mask values are 0 and 255; others are refused",),
        layout="the loader of a public project",
        facts={
            "mode": "3D",
            "machines": "several",
            "centres": "several",
            "patients": "45",
            "challenge": "CETUS, MICCAI 2014",
            "context": "end diastole and end systole",
            "annotation": "three experts",
        },
    ),
    categories=(Category("left_ventricle", "heart"),),
    cases=cases,
    read=stack({255: "left_ventricle"}),
    needs=("**/patient*/patient*_ED.nii.gz", "**/patient*/patient*_ED_gt.nii.gz"),
)
