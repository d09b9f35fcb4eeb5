"""BrEaST: breast lesions and other findings, several RGBA masks per case."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from ..engine.errors import CaseError
from ..engine.find import glob
from ..engine.masks import binary, fit
from ..engine.read import image
from ..engine.types import Card, Case, Category, Dataset, Frame, Object

#: Their row of the table says normal; every other case has a mask.
NORMAL = {"case045", "case061", "case209", "case213"}
NAME = re.compile(r"(case\d+)(?:_(tumor|other\d*))?", re.IGNORECASE)


def cases(root: Path) -> Iterator[Case | CaseError]:
    """Group the flat folder by case number."""
    images: dict[str, Path] = {}
    masks: dict[str, dict[str, Path]] = {}
    for path in glob(root, "case*.png"):
        found = NAME.fullmatch(path.stem)
        if found is None:
            yield CaseError(path, "unknown name; expected caseNNN[_tumor|_otherN].png")
        elif found[2] is None:
            images[found[1]] = path
        else:
            masks.setdefault(found[1], {})[found[2].lower()] = path
    for key, path in images.items():
        if (key in masks) != (key.lower() in NORMAL):
            yield Case(key, {"image": path, **masks.get(key, {})}, subject=key)
        else:
            yield CaseError(path, "a normal case with a mask" if key in masks else "image without mask")
    for key in sorted(set(masks) - set(images)):
        yield from (CaseError(path, "mask without image") for path in masks[key].values())


def read(case: Case) -> Iterator[Frame]:
    """Red channel from 128 up; alpha is dropped, not composited."""
    picture = image(case.files["image"])
    objects: list[Object] = []
    for role, path in case.files.items():
        if role != "image":
            mask, _ = fit(image(path), (picture.shape[0], picture.shape[1]))
            name = "breast_nodule" if role == "tumor" else "other_finding"
            objects += binary(mask if mask.ndim == 2 else mask[..., 0], name)
    yield Frame(picture, objects)


DATASET = Dataset(
    name="breast",
    card=Card(
        title="BrEaST-Lesions-USG: curated benchmark for ultrasound breast lesion analysis",
        link="https://www.cancerimagingarchive.net/collection/breast-lesions-usg/",
        citation="Pawlowska et al., doi 10.7937/9WKK-Q141",
        license="CC BY 4.0",
        commercial=True,
        anatomy="breast",
        application="breast lesion",
        organ="breast",
        images=252,
        masks=266,
        subjects=256,
        tree="BrEaST-Lesions_USG-images_and_masks/\n  case001.png  case001_tumor.png  case022_other1.png ...",
        quirks=(
            "files are RGBA; 30 images are partly transparent: the color is used and alpha ignored",
            "four normal cases (045, 061, 209, 213) have no mask: left out unless empty images are kept",
            "the 15 masks of other findings are dilated ducts, implants, dysplasia, a cyst in one case of "
            "seven: called other_finding",
            "masks of one case may overlap (036, 140, 151) and stay separate instances",
        ),
        differs=("other findings are not called cyst: the table denies it for six of seven cases",),
        facts={
            "mode": "2D diagnostic planes",
            "machines": "several",
            "metadata": "BI-RADS, age, diagnosis, verification",
            "patients": "256",
            "sample": "one image a patient",
        },
    ),
    categories=(Category("breast_nodule", "breast lesion"), Category("other_finding", "breast lesion")),
    cases=cases,
    read=read,
    version="2",
    needs=("case*.png", "case*_tumor.png"),
)
