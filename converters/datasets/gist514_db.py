"""GIST514-DB: subepithelial lesions in endoscopic ultrasound, COCO already; fold 0 is UltraSam's test."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..engine.errors import CaseError
from ..engine.find import glob
from ..engine.masks import polygon
from ..engine.read import image, json_file
from ..engine.types import Card, Case, Category, Dataset, Frame, Object

FILES = {"train": "train_anno_crop_split_0.json", "test": "val_anno_crop_split_0.json"}
NAMES = ("lmym", "gist")


def cases(root: Path) -> Iterator[Case | CaseError]:
    """Fold 0 only: its validation part is the test set."""
    for split, name in FILES.items():
        path = glob(root, f"annotations/{name}")[0]
        coco: dict[str, Any] = json_file(path)
        names = {c["id"]: str(c["name"]).strip().lower() for c in coco["categories"]}
        unknown = sorted(set(names.values()) - set(NAMES))
        if unknown:
            raise CaseError(path, f"unknown categories {unknown}")
        found: dict[int, list[tuple[str, Any]]] = defaultdict(list)
        for item in coco["annotations"]:
            found[item["image_id"]].append((names[item["category_id"]], item["segmentation"]))
        for entry in coco["images"]:
            file = root / "images" / entry["file_name"]
            if not file.is_file():
                yield CaseError(file, f"listed in {name} but missing")
                continue
            data = {"size": [entry["height"], entry["width"]], "objects": found[entry["id"]]}
            data["anatomy_id"] = entry.get("anatomy_id")
            yield Case(file.stem, {"image": file}, subject=file.stem, split=split, data=data)


def read(case: Case) -> Iterator[Frame]:
    """All polygons of one annotation are one lesion."""
    picture = image(case.files["image"])
    size = (picture.shape[0], picture.shape[1])
    if list(size) != case.data["size"]:
        raise ValueError(f"image of {size[1]}x{size[0]}, the annotation file says {case.data['size'][::-1]}")
    objects = []
    for name, rings in case.data["objects"]:
        mask = np.any([polygon(ring, size) for ring in rings], axis=0)
        objects.append(Object(name, mask, whole=True))
    extra = {} if case.data["anatomy_id"] is None else {"anatomy_id": case.data["anatomy_id"]}
    yield Frame(picture, objects, extra=extra)


DATASET = Dataset(
    name="gist514_db",
    card=Card(
        title="GIST514-DB: gastrointestinal stromal tumors and leiomyomas in endoscopic ultrasound",
        link="https://github.com/howardchina/query2",
        license="CC BY-NC-SA 4.0",
        anatomy="gastrointestinal subepithelial lesions",
        application="gastroenterology / endoscopic ultrasound",
        organ="gastrointestinal",
        images=514,
        masks=514,
        subjects=514,
        tree="usd514_jpeg_roi/\n  images/*.jpg"
        "\n  annotations/train_anno_crop_split_0.json, val_anno_crop_split_0.json ...",
        quirks=(
            "five folds: only fold 0 is read, folds must not be mixed",
            "categories are matched by name, not by number",
            "an annotation of several polygons is one lesion",
        ),
        differs=("polygons of one annotation are merged",),
        facts={
            "mode": "2D diagnostic planes",
            "geography": "China",
            "split_sizes": "five folds of 106, 103, 103, 103, 99",
            "sample": "one image a patient",
            "metadata": "location in the gut",
            "patients": "251 leiomyoma, 263 GIST",
            "technique": "endoscopic ultrasound",
        },
    ),
    categories=(Category("lmym", "subepithelial lesion"), Category("gist", "subepithelial lesion")),
    cases=cases,
    read=read,
    needs=("images/*.jpg", *(f"annotations/{name}" for name in FILES.values())),
    benchmark=True,
)
