"""BUSI: breast lesions in class folders, one to three masks per image."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from ..engine.errors import CaseError
from ..engine.find import glob
from ..engine.masks import binary, fit
from ..engine.read import gray, image
from ..engine.types import Card, Case, Category, Dataset, Frame, Object, Skip

MASK = re.compile(r"(.*)_mask(_\d+)?")
#: The same picture with opposite labels.
CONTRADICTION = {"benign/benign (433)", "malignant/malignant (145)"}


def cases(root: Path) -> Iterator[Case | Skip | CaseError]:
    """Images with all their masks; masks may lie beside them or in a folder of their own."""
    for label in ("benign", "malignant", "normal"):
        files = glob(root, f"{label}/*.png|{label}/{{images,mask,masks}}/*.png")
        masks: dict[str, dict[str, Path]] = {}
        for path in files:
            found = MASK.fullmatch(path.stem)
            if found:
                masks.setdefault(found[1], {})["mask" + (found[2] or "")] = path
        images = {path.stem: path for path in files if not MASK.fullmatch(path.stem)}
        for stem, path in images.items():
            key = f"{label}/{stem}"
            if key in CONTRADICTION:
                yield Skip("same picture with opposite labels")
            elif stem in masks or label == "normal":
                yield Case(key, {"image": path, **masks.get(stem, {})}, label=label)
            else:
                yield CaseError(path, "image without mask")
        for stem in sorted(set(masks) - set(images)):
            yield from (CaseError(path, "mask without image") for path in masks[stem].values())


def read(case: Case) -> Iterator[Frame]:
    """Each mask file is labeled for itself: touching lesions stay apart."""
    picture = image(case.files["image"])
    objects: list[Object] = []
    for role, path in case.files.items():
        if role != "image":
            mask, _ = fit(gray(path), (picture.shape[0], picture.shape[1]))
            objects += binary(mask, "breast_nodule")
    if objects and case.label == "normal":
        raise ValueError("a lesion is marked on an image of the folder `normal`")
    yield Frame(picture, objects, extra={"label": case.label})


DATASET = Dataset(
    name="busi",
    card=Card(
        title="Dataset of Breast Ultrasound Images (BUSI)",
        link="https://scholar.cu.edu.eg/?q=afahmy/pages/dataset",
        citation="Al-Dhabyani et al., Data in Brief 2020",
        anatomy="breast",
        application="breast lesion",
        organ="breast",
        images=645,
        masks=665,
        tree="Dataset_BUSI_with_GT/"
        "\n  benign/benign (1).png, benign (1)_mask.png, benign (4)_mask_1.png ...\n"
        "  malignant/...\n  normal/...",
        quirks=(
            "normal images have black masks: left out unless empty images are kept",
            "17 images have more than one mask, some of which overlap: each is an instance of its own",
            "23 masks have stray specks of 1 to 8 pixels: dropped and counted",
            "benign (433) and malignant (145) are the same picture: both are left out",
            "many near duplicates and no patient ids: run the audit",
            "third parties say CC BY 4.0, the page does not: counted as no license stated",
        ),
        facts={
            "mode": "2D diagnostic planes",
            "device": "GE LOGIQ E9 and E9 Agile, linear",
            "machines": "several",
            "geography": "Egypt",
            "patients": "600 women",
        },
    ),
    categories=(Category("breast_nodule", "breast lesion"),),
    cases=cases,
    read=read,
    version="2",
    needs=("benign/*.png|benign/images/*.png", "malignant/*.png|malignant/images/*.png"),
)
