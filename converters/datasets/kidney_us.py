"""kidneyUS: kidney capsules of annotator 1."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..engine.errors import CaseError
from ..engine.find import glob, match
from ..engine.recipes import label_still
from ..engine.types import Card, Case, Category, Dataset, Instances


def cases(root: Path) -> Iterator[Case | CaseError]:
    """Images lie anywhere but below the labels; masks carry the same name."""
    masks = glob(root, "**/reviewed_masks_1/capsule/*.png")
    images = [
        path
        for path in glob(root, "**/*_anon.png")
        if not {"capsule", "regions"} & set(path.relative_to(root).parts)
    ]
    for found in match(images, masks):
        if isinstance(found, CaseError):
            yield found
        else:
            subject = found[0].stem.split("_")[0]
            yield Case(found[0].stem, {"image": found[0], "mask": found[1]}, subject=subject)


DATASET = Dataset(
    name="kidney_us",
    card=Card(
        title="kidneyUS: Open Kidney Ultrasound Data Set",
        link="https://github.com/rsingla92/kidneyUS",
        citation="Singla et al. 2023",
        license="CC BY-NC-SA",
        access="registration",
        anatomy="kidney",
        application="nephrology / kidney",
        organ="kidney",
        images=486,
        masks=487,
        subjects=511,
        tree="kidneyUS/\n  kidneyUS_images_14_june_2022.zip -> 1_IM-0001-0059_anon.png ...\n"
        "  labels/reviewed_masks_1/capsule/<same names>",
        quirks=(
            "masks hold class numbers (0, 1) and look black",
            "one capsule is a single point: pieces under 10 pixels are dropped",
            "47 capsules are empty; 23 patients have two images",
        ),
        facts={
            "mode": "2D diagnostic planes",
            "device": "Philips, Toshiba, GE, Siemens, Acuson, curved",
            "machines": "several",
            "centres": "one",
            "geography": "Canada",
            "years": "2015-2019",
            "patients": "native and transplant kidneys",
            "metadata": "quality, view, comments",
            "annotation": "two annotators, reviewed",
            "annotation_description": "capsule and regions",
            "ethics": "yes",
        },
    ),
    categories=(Category("kidney", "kidney"),),
    cases=cases,
    read=label_still({1: "kidney"}),
    instances=Instances(min_area=10),
    needs=("**/reviewed_masks_1/capsule/*.png", "**/*_anon.png"),
)
