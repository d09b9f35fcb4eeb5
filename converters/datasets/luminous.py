"""LUMINOUS: the lumbar multifidus of both sides, one or two masks an image."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from ..engine.errors import CaseError
from ..engine.find import glob
from ..engine.masks import binary, fit
from ..engine.read import gray, image
from ..engine.types import Card, Case, Category, Dataset, Frame, Object

MASK = re.compile(r"(\d+_\d+)_Mask(\d*)", re.IGNORECASE)


def cases(root: Path) -> Iterator[Case | CaseError]:
    """`100_1_Bmode` with `100_1_Mask`, or `100_1_Mask1` and `100_1_Mask2`."""
    masks: dict[str, dict[str, Path]] = {}
    for path in glob(root, "Masks/*.tif"):
        found = MASK.fullmatch(path.stem)
        if found is None:
            yield CaseError(path, "unknown name; expected <person>_<image>_Mask[1|2].tif")
        else:
            masks.setdefault(found[1], {})["mask" + found[2]] = path
    for path in glob(root, "B-mode/*_Bmode.tif"):
        key = path.stem[: -len("_Bmode")]
        if key in masks:
            yield Case(key, {"image": path, **masks.pop(key)}, subject=key.split("_")[0])
        else:
            yield CaseError(path, "image without mask")
    yield from (CaseError(path, "mask without image") for found in masks.values() for path in found.values())


def read(case: Case) -> Iterator[Frame]:
    """Each mask file is one muscle."""
    picture = image(case.files["image"])
    objects: list[Object] = []
    for role, path in case.files.items():
        if role != "image":
            mask, _ = fit(gray(path), (picture.shape[0], picture.shape[1]))
            objects += binary(mask, "lumbar_multifidus")
    yield Frame(picture, objects)


DATASET = Dataset(
    name="luminous",
    card=Card(
        title="LUMINOUS: lumbar multifidus muscle segmentation from ultrasound images",
        link="http://data.sonography.ai",
        citation="Belasso et al. 2020, doi 10.1186/s12891-020-03679-3",
        anatomy="lumbar multifidus muscle",
        application="low back pain / muscle",
        organ="muscle",
        images=341,
        subjects=109,
        tree="LUMINOUS_Database/\n  B-mode/100_1_Bmode.tif ...\n  Masks/100_1_Mask.tif, 101_2_Mask1.tif ...",
        quirks=(
            "an image has one mask, or one for each side",
            "the number in front is the person: all images of one stay on one side of the split",
        ),
        layout="the loaders of two public projects; names that do not fit are refused",
        facts={
            "mode": "2D diagnostic planes",
            "device": "GE LOGIQ e, 5 MHz",
            "machines": "one",
            "centres": "one",
            "geography": "Canada",
            "patients": "109 young athletes",
            "protocol": "L5, prone and standing",
        },
    ),
    categories=(Category("lumbar_multifidus", "muscle"),),
    cases=cases,
    read=read,
    needs=("B-mode/*_Bmode.tif", "Masks/*.tif"),
)
