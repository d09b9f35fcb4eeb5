"""CardiacNet: chambers in sparsely labeled echo videos of ASD and PAH."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..engine.errors import CaseError
from ..engine.find import glob, match
from ..engine.recipes import stack
from ..engine.types import Card, Case, Category, Dataset

NAMES = {1: "left_ventricle", 2: "right_ventricle", 3: "left_atrium", 4: "right_atrium"}


def key(path: Path) -> str | None:
    """Class folder and case; an image may lie in a folder that is called as a file."""
    for entry in (path, path.parent):
        name = entry.name.removesuffix(".gz").removesuffix(".nii")
        for word in ("_image", "_label"):
            if name.endswith(word):
                return f"{entry.parent.name}/{name.removesuffix(word)}"
    return None


def cases(root: Path) -> Iterator[Case | CaseError]:
    """Labels by the name of their image, within a class folder."""
    images = glob(root, "**/*_image.nii/*.{nii,nii.gz}|**/*_image.{nii,nii.gz}")
    masks = glob(root, "**/*_label.nii/*.{nii,nii.gz}|**/*_label.{nii,nii.gz}")
    for found in match(images, masks, key, key):
        if isinstance(found, CaseError):
            yield found
        else:
            name = key(found[0]) or ""
            files = {"image": found[0], "mask": found[1]}
            yield Case(name, files, subject=name, label=name.split("/")[0])


DATASET = Dataset(
    name="cardiac_net",
    card=Card(
        title="CardiacNet: echocardiogram videos of ASD and PAH",
        link="https://github.com/xmed-lab/CardiacNet",
        citation="Yang et al., CardiacNet, ECCV 2024",
        anatomy="heart",
        application="cardiac",
        organ="heart",
        tree="CardiacNet-{ASD,PAH}/\n  {ASD,Non-ASD,PAH,Non-PAH}/1_image.nii/<any>.nii, 1_label.nii ...",
        quirks=(
            "an image is a folder whose name ends as a file's, a label is a file",
            "few frames of a video are labeled: the others are counted",
            "the same number in another class folder is another person",
        ),
        guesses=("label values are 1 to 4; others are refused",),
        unchecked=(
            "1 and 2 are the left and right ventricle, 3 and 4 the atria",
            "frames are stored upright",
        ),
        layout="the loader of a public project",
        source="https://doi.org/10.5281/zenodo.22770825",
        facts={"mode": "2D+t", "geography": "China", "metadata": "disease", "sample": "video"},
    ),
    categories=tuple(Category(name, "heart") for name in NAMES.values()),
    cases=cases,
    read=stack(NAMES),
    needs=("**/*_image.nii/*.{nii,nii.gz}|**/*_image.{nii,nii.gz}", "**/*_label.{nii,nii.gz}"),
)
