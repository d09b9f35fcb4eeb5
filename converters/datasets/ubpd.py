"""UBPD: nerves, vessels and muscles around the brachial plexus, polygons in LabelMe files."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..engine.errors import CaseError
from ..engine.find import pairs
from ..engine.masks import polygons
from ..engine.read import image, json_file
from ..engine.types import Card, Case, Category, Dataset, Frame, Skip

NAMES = {
    "dongmai": "artery",
    "jingmai": "vein",
    "jirouzuzhi": "muscle",
    "shenjing": "nerve",
    "zhifang": "fat",
    "jizhu": "spine",
}


def cases(root: Path) -> Iterator[Case | CaseError]:
    """The number before the first underscore is the patient."""
    return pairs(
        root,
        "JPEGImages/*.jpg",
        "json_train/*.json",
        make=lambda key, path: {"subject": key.split("_")[0] if "_" in key else None},
    )


def usable(points: Any) -> bool:
    """Three points or more, all finite numbers."""
    try:
        return len(points) >= 3 and all(math.isfinite(float(v)) for point in points for v in point[:2])
    except (TypeError, ValueError):
        return False


def read(case: Case) -> Iterator[Frame | Skip]:
    """Each polygon is an instance; overlaps stay."""
    picture = image(case.files["image"])
    size = (picture.shape[0], picture.shape[1])
    content = json_file(case.files["mask"])
    written = (content.get("imageHeight"), content.get("imageWidth"))
    if None not in written and written != size:
        raise ValueError(f"image of {size[1]}x{size[0]}, the label file says {written[1]}x{written[0]}")
    rings, broken = [], 0
    for shape in content["shapes"]:
        label = str(shape["label"]).strip().lower()
        if label not in NAMES:
            raise CaseError(case.files["mask"], f"unknown label {shape['label']!r}")
        if usable(shape["points"]):
            rings.append((NAMES[label], shape["points"]))
        else:
            broken += 1
    yield Frame(picture, polygons(rings, size))
    if broken:
        yield Skip("polygon of fewer than three points or without numbers", broken)


DATASET = Dataset(
    name="ubpd",
    card=Card(
        title="Ultrasound Brachial Plexus Dataset (UBPD)",
        link="https://ubpd.worldwidetracing.com:9443/",
        citation="Ding et al. 2022",
        access="registration",
        anatomy="brachial plexus",
        application="regional anaesthesia / nerve",
        organ="nerve",
        tree="UBPD/\n  JPEGImages/<patient>_<...>.jpg\n  json_train/<patient>_<...>.json",
        quirks=(
            "label files are UTF-8 or GBK; imagePath and imageData are not read",
            "polygons overlap, leave the image or have too few points: kept apart, clipped, counted",
            "a name without underscore is a patient of its own",
        ),
        guesses=("labels are the six pinyin words; others are refused by name",),
        facts={
            "mode": "2D diagnostic planes",
            "device": "Siemens ACUSON NX3 Elite, Philips EPIQ5, linear",
            "machines": "several",
            "geography": "China",
            "sample": "image",
        },
    ),
    categories=tuple(Category(name, "brachial plexus") for name in NAMES.values()),
    cases=cases,
    read=read,
    needs=("JPEGImages/*.jpg", "json_train/*.json"),
)
