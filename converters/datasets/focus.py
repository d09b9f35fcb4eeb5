"""FOCUS: fetal heart and thorax in the four-chamber view, a mask file for each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..engine.errors import CaseError
from ..engine.find import glob
from ..engine.masks import binary, fit
from ..engine.read import gray, image
from ..engine.types import Card, Case, Category, Dataset, Frame, Object

PARTS = {"training": "train", "validation": "val", "testing": "test"}
NAMES = {"cardiac": "fetal_heart", "thorax": "fetal_thorax"}


def cases(root: Path) -> Iterator[Case | CaseError]:
    """Numbers restart in each part."""
    for folder, split in PARTS.items():
        masks: dict[str, dict[str, Path]] = {}
        for path in glob(root, f"{folder}/annfiles_mask/*.png"):
            stem, _, kind = path.stem.rpartition("-")
            if kind in NAMES:
                masks.setdefault(stem, {})[kind] = path
            else:
                yield CaseError(path, "unknown name; expected <number>-cardiac.png or <number>-thorax.png")
        for path in glob(root, f"{folder}/images/*.png"):
            found = masks.pop(path.stem, {})
            if len(found) == len(NAMES):
                yield Case(f"{split}/{path.stem}", {"image": path, **found}, split=split)
            else:
                yield CaseError(path, f"image without {' and '.join(sorted(set(NAMES) - set(found)))} mask")
        for found in masks.values():
            yield from (CaseError(path, "mask without image") for path in found.values())


def read(case: Case) -> Iterator[Frame]:
    """The heart lies in the thorax: both are whole."""
    picture = image(case.files["image"])
    objects: list[Object] = []
    for kind, name in NAMES.items():
        mask, _ = fit(gray(case.files[kind]), (picture.shape[0], picture.shape[1]))
        if not (mask >= 128).any():
            raise CaseError(case.files[kind], f"no pixel from 128 up; the highest value is {mask.max()}")
        objects += binary(mask, name)
    yield Frame(picture, objects)


DATASET = Dataset(
    name="focus",
    card=Card(
        title="FOCUS: four-chamber ultrasound image dataset for fetal cardiac biometric measurement",
        link="https://zenodo.org/records/14597550",
        citation="FOCUS, doi 10.5281/zenodo.14597550",
        license="CC BY 4.0",
        commercial=True,
        anatomy="fetal heart and thorax",
        application="fetal biometry / cardiac",
        organ="fetus",
        images=300,
        masks=600,
        tree="{training,validation,testing}/\n  images/001.png ...\n"
        "  annfiles_mask/001-cardiac.png, 001-thorax.png ...\n  annfiles_ellipse/...  annfiles_rectangle/...",
        quirks=(
            "the heart lies inside the thorax: both are whole",
            "numbers restart in each official part; ellipses and boxes of the same structures are not read",
        ),
        guesses=("foreground is 128 and up; a mask without such a pixel is refused",),
        layout="the descriptions of four public projects",
        source="https://github.com/szuboy/FOCUS-dataset",
        facts={
            "mode": "2D diagnostic planes",
            "geography": "China",
            "split_sizes": "200/50/50",
            "annotation_description": "ellipses, oriented boxes, masks",
            "protocol": "four-chamber view",
        },
    ),
    categories=tuple(Category(name, "fetal biometry") for name in NAMES.values()),
    cases=cases,
    read=read,
    needs=("training/images/*.png", "training/annfiles_mask/*.png"),
)
