"""FASS: structures of the fetal abdomen, a pickled dict of masks per image."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..engine.errors import CaseError
from ..engine.find import pairs
from ..engine.read import image, pickled_dict
from ..engine.types import Card, Case, Category, Dataset, Frame, Object

NAMES = ("artery", "liver", "stomach", "vein")


def cases(root: Path) -> Iterator[Case | CaseError]:
    """Pairs by name; `P001_IMG1` is of patient P001."""
    return pairs(
        root, "IMAGES/*.png", "ARRAY_FORMAT/*.npy", make=lambda key, path: {"subject": key.split("_")[0]}
    )


def read(case: Case) -> Iterator[Frame]:
    """One plane per structure: they may overlap. The picture is that of the PNG."""
    picture = image(case.files["image"])
    structures = pickled_dict(case.files["mask"]).get("structures")
    if not isinstance(structures, dict):
        raise CaseError(case.files["mask"], "no dict `structures`")
    unknown = sorted(set(map(str, structures)) - set(NAMES))
    if unknown:
        raise CaseError(case.files["mask"], f"unknown structures {unknown}")
    planes = [(name, np.asarray(structures[name]) > 0) for name in NAMES if name in structures]
    yield Frame(picture, [Object(name, mask) for name, mask in planes if mask.any()])


DATASET = Dataset(
    name="fass",
    card=Card(
        title="FASS: Fetal Abdominal Structures Segmentation Dataset Using Ultrasonic Images",
        link="https://data.mendeley.com/datasets/4gcpm9dsc3/1",
        license="CC BY 4.0",
        commercial=True,
        anatomy="fetal abdomen",
        application="obstetrics / fetal abdomen",
        organ="fetus",
        images=1588,
        masks=1588,
        subjects=169,
        tree="Fetal Abdominal Structures Segmentation Dataset Using Ultrasonic Images/ (zip in a zip)\n"
        "  IMAGES/P001_IMG1.png ...\n  ARRAY_FORMAT/P001_IMG1.npy ...",
        quirks=(
            "the arrays are pickles: read by an unpickler that knows only numpy arrays",
            "structures overlap and stay separate",
        ),
        guesses=("structures may be absent; other names than the four are refused",),
        facts={
            "mode": "2D diagnostic planes",
            "device": "Siemens Acuson, Voluson 730, Philips EPIQ Elite, curvilinear 2-9 MHz",
            "machines": "several",
            "patients": "169 pregnancies",
        },
    ),
    categories=tuple(Category(name, "fetal abdomen") for name in NAMES),
    cases=cases,
    read=read,
    needs=("IMAGES/*.png", "ARRAY_FORMAT/*.npy"),
)
