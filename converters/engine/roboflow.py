"""Exports of Roboflow in COCO's format: a folder for each part, its images and one JSON file in it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from .coco_parsed import Need
from .coco_schema import read as read_coco
from .errors import CaseError
from .find import glob
from .read import image
from .segmentations import to_rle
from .types import Case, Frame, Object

PARTS = {"train": "train", "valid": "val", "test": "test"}
FILE = "_annotations.coco.json"
NEEDS = (f"train/{FILE}", "train/*.{jpg,jpeg,png}")


def cases(root: Path, names: Mapping[str, str]) -> Iterator[Case | CaseError]:
    """The listed images with their masks.

    Args:
        root: the folder of the parts.
        names: category of the export, in lower case -> ours.

    Raises:
        CaseError: a category that `names` lacks has an object.
    """
    for part, split in PARTS.items():
        for path in glob(root, f"{part}/{FILE}"):
            coco = read_coco(path, Need.MASKS)
            called = {c["id"]: str(c["name"]).strip().lower() for c in coco["categories"]}
            found: dict[Any, list[tuple[str, Any]]] = defaultdict(list)
            for entry in coco["annotations"]:
                name = called[entry["category_id"]]
                if name not in names:
                    raise CaseError(path, f"unknown category {name!r}, expected {sorted(names)}")
                found[entry["image_id"]].append((names[name], entry["segmentation"]))
            for entry in coco["images"]:
                picture = path.parent / entry["file_name"]
                if picture.is_file():
                    key = f"{split}/{Path(entry['file_name']).stem}"
                    yield Case(key, {"image": picture}, source(entry), split, data=found[entry["id"]])
                else:
                    yield CaseError(picture, f"listed in {FILE} but missing")


def source(entry: Mapping[str, Any]) -> str:
    """The uploaded file that an image was made of: copies that were altered share it."""
    return str(entry["file_name"]).split(".rf.")[0]


def read(case: Case) -> Iterator[Frame]:
    """Each annotation is an object."""
    picture = image(case.files["image"])
    size = (picture.shape[0], picture.shape[1])
    objects = []
    for name, segmentation in case.data:
        mask = np.asarray(coco_mask.decode(to_rle(segmentation, size)), bool)
        if mask.shape != size:
            raise ValueError(f"a mask of {mask.shape[::-1]} for an image of {size[::-1]} pixels")
        objects.append(Object(name, mask, whole=True))
    yield Frame(picture, objects)
