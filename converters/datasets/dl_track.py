"""DL_Track: aponeuroses of leg muscles, TIFF pairs of several devices."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..engine.errors import CaseError
from ..engine.find import glob, pairs
from ..engine.recipes import binary_still
from ..engine.types import Card, Case, Category, Dataset, Instances, Skip


def cases(root: Path) -> Iterator[Case | Skip | CaseError]:
    """Pairs of equal names."""
    yield from pairs(root, "apo_images/*.tif", "apo_masks/*.tif")
    others = len(glob(root, "fasc_images_S/*.tif"))
    if others:
        yield Skip("image with fascicles, many of which repeat another under another number", others)


DATASET = Dataset(
    name="dl_track",
    card=Card(
        title="DL_Track: muscle architecture, training images of aponeuroses",
        link="https://github.com/njcronin/DL_Track",
        citation="Cronin et al. 2020, arXiv 2009.04790",
        license="Apache-2.0 of the authors' repository; no separate statement for the data",
        commercial=True,
        anatomy="lower leg muscles",
        application="muscle architecture",
        organ="muscle",
        images=574,
        masks=574,
        tree="DL_Track/\n  apo_images/img_00001.tif ...  apo_masks/<same names>\n"
        "  fasc_images_S/...  fasc_masks_S/...  (left out)",
        quirks=(
            "161 of 309 images with fascicles repeat one with aponeuroses under another number: only the "
            "aponeuroses are converted",
            "thin bands: pieces at the image border are kept",
            "the interface of the scanner is visible; no subjects: run the audit",
            "fallmud holds images of the same group",
        ),
        overlaps=("fallmud",),
        facts={"mode": "2D+t", "machines": "several", "sample": "frame of a video"},
    ),
    categories=(Category("aponeurosis", "muscle"),),
    cases=cases,
    read=binary_still("aponeurosis"),
    instances=Instances(border_strip=0),
    needs=("apo_images/*.tif", "apo_masks/*.tif"),
)
