"""liver_ultrasound Computer Vision Project: polygons, as Roboflow exports them to COCO."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..engine import roboflow
from ..engine.errors import CaseError
from ..engine.types import Card, Case, Category, Dataset

NAMES = {"liver": "liver"}


def cases(root: Path) -> Iterator[Case | CaseError]:
    """The images of all parts."""
    return roboflow.cases(root, NAMES)


DATASET = Dataset(
    name="liver_ultrasound",
    card=Card(
        title="liver_ultrasound Computer Vision Project",
        link="https://universe.roboflow.com/",
        citation="Roboflow Universe; row 60 of Alsharid et al. 2025, Table 1",
        access="registration",
        anatomy="liver",
        application="liver",
        organ="liver",
        tree="an export as COCO segmentation\n  {train,valid,test}/_annotations.coco.json"
        "\n  {train,valid,test}/<name>.rf.<hash>.jpg ...",
        quirks=(
            "the review counts 400 images; a version of the project may hold altered copies of them",
            "copies of one upload share the name in front of `.rf.` and stay on one side of the split",
        ),
        guesses=("the category is called liver; other names of categories are refused",),
        layout="not verified: Roboflow's usual export, the names of categories are checked",
        facts={"mode": "2D diagnostic planes", "split_sizes": "folders"},
    ),
    categories=(Category("liver", "liver"),),
    cases=cases,
    read=roboflow.read,
    needs=roboflow.NEEDS,
)
