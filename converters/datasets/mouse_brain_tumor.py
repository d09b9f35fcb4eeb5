"""Mouse brain tumors in high-frequency ultrasound: recordings, each in a zip of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from ..engine.errors import CaseError
from ..engine.find import glob, match
from ..engine.recipes import binary_still
from ..engine.types import Card, Case, Category, Dataset

MASK = re.compile(r"(.+?img)(?:_.*)?_mask", re.IGNORECASE)


def image_key(path: Path) -> str:
    """Recording and frame."""
    return f"{path.parent.parent.name}/{path.stem}"


def mask_key(path: Path) -> str | None:
    """The mask's name goes on behind the image's, with or without the annotator."""
    found = MASK.fullmatch(path.stem)
    return f"{path.parent.parent.name}/{found[1]}" if found else None


def cases(root: Path) -> Iterator[Case | CaseError]:
    """`rec__*/Images/frame7_img` and `Masks/frame7_img_mask`."""
    images, masks = glob(root, "**/rec_*/Images/*.png"), glob(root, "**/rec_*/Masks/*.png")
    for path in masks:
        if mask_key(path) is None:
            yield CaseError(path, "unknown name; expected <image>[_<annotator>]_mask.png")
    for found in match(images, masks, image_key, mask_key):
        if isinstance(found, CaseError):
            yield found
        else:
            recording = found[0].parent.parent.name
            yield Case(image_key(found[0]), {"image": found[0], "mask": found[1]}, subject=recording)


DATASET = Dataset(
    name="mouse_brain_tumor",
    card=Card(
        title="High-resolution ultrasound data for AI-based segmentation in mouse brain tumor",
        link="https://doi.org/10.6084/m9.figshare.27237894",
        citation="Scientific Data 2025, doi 10.1038/s41597-025-05619-z",
        anatomy="mouse brain tumor (GL261 glioblastoma)",
        application="preclinical / brain tumor",
        organ="brain",
        images=1856,
        masks=1856,
        subjects=38,
        tree="38 zips in a zip, each\n  rec__YYYYMMDD_HHMMSS/\n    Images/frame7_img.png ...\n"
        "    Masks/frame7_img_mask.png, frame8_img_<annotator>_mask.png ...",
        quirks=(
            "masks are means of five annotators: foreground is 128 and up, what most of them marked",
            "frames of a recording are near duplicates: a recording stays on one side",
        ),
        unchecked=("a recording is of a mouse that no other recording shows",),
        layout="the loader of a public project",
        differs=("SonoBase takes whatever any annotator marked",),
        facts={
            "mode": "2D+t",
            "annotation": "five annotators",
            "merging": "mean of the masks",
            "patients": "mice",
            "sample": "frame of a recording",
        },
    ),
    categories=(Category("tumor", "brain"),),
    cases=cases,
    read=binary_still("tumor"),
    needs=("**/rec_*/Images/*.png", "**/rec_*/Masks/*.png"),
)
