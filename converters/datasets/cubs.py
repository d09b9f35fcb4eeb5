"""CUBS: the intima-media complex of the carotid artery between two traced borders."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..engine.errors import CaseError
from ..engine.find import glob
from ..engine.masks import polygon
from ..engine.read import image, lines
from ..engine.types import Array, Card, Case, Category, Dataset, Frame, Object

NAME = re.compile(r"((?:clin|tech)_\d+)(?:_[LR])?", re.IGNORECASE)
#: The analyst whose tracings are taken.
ANALYST = "Manual-A1"


def cases(root: Path) -> Iterator[Case | CaseError]:
    """Two tracings an image: lumen and intima (LI), media and adventitia (MA)."""
    traced = {
        border: {p.stem[:-3]: p for p in glob(root, f"**/LIMA-Profiles/{ANALYST}/*-{border}.txt")}
        for border in ("LI", "MA")
    }
    for path in glob(root, "**/IMAGES/*.{tif,tiff}"):
        found = NAME.fullmatch(path.stem)
        missing = [border for border in traced if path.stem not in traced[border]]
        if found is None:
            yield CaseError(path, "unknown name; expected clin_<number>_<L or R> or tech_<number>")
        elif missing:
            yield CaseError(path, f"image without {' and '.join(missing)} tracing of {ANALYST}")
        else:
            files = {border: its[path.stem] for border, its in traced.items()}
            yield Case(path.stem, {"image": path, **files}, subject=found[1].lower())


def tracing(path: Path) -> Array:
    """A border (n, 2) of (x, y) pixels: a line of all x and a line of all y."""
    rows = lines(path)
    try:
        points = np.array([[float(v) for v in row.split()] for row in rows], np.float64)
    except ValueError as error:
        raise CaseError(path, f"no two lines of as many numbers: {error}") from error
    if points.ndim != 2 or len(points) != 2 or points.shape[1] < 2:
        raise CaseError(path, f"expected two lines of as many numbers, found {points.shape}")
    return points.T


def read(case: Case) -> Iterator[Frame]:
    """The ring along one border and back along the other."""
    picture = image(case.files["image"])
    size = (picture.shape[0], picture.shape[1])
    inner, outer = tracing(case.files["LI"]), tracing(case.files["MA"])
    if (outer[0, 0] < outer[-1, 0]) == (inner[0, 0] < inner[-1, 0]):
        outer = outer[::-1]
    mask = polygon(np.concatenate([inner, outer]), size)
    yield Frame(picture, [Object("intima_media", mask, whole=True)] if mask.any() else [])


DATASET = Dataset(
    name="cubs",
    card=Card(
        title="CUBS: Carotid Ultrasound Boundary Study",
        link="https://data.mendeley.com/datasets/fpv535fss7",
        citation="Meiburger et al., Ultrasound in Medicine and Biology 2021",
        anatomy="carotid intima-media complex",
        application="vascular (carotid)",
        organ="vessel",
        images=2176,
        masks=2176,
        subjects=1088,
        tree="DATASET_CUBS/\n  IMAGES/clin_0001_L.tiff ...  CF/clin_0001_L_CF.txt ...\n"
        "  LIMA-Profiles/Manual-A1/clin_0001_L-LI.txt, clin_0001_L-MA.txt ...",
        quirks=(
            "borders are traced, not masks: the region between both is filled",
            "of several analysts the first is taken; computed borders are not",
            "left and right of a patient stay on one side of the split",
            "the complex is a few pixels thick",
        ),
        unchecked=("pixels are counted as drawn: a shift by one is not excluded",),
        layout="the loaders of two public projects",
        facts={
            "mode": "2D diagnostic planes",
            "centres": "several",
            "machines": "several",
            "geography": "Cyprus, Italy",
            "patients": "1,088",
            "metadata": "pixel size, clinical table, events",
            "annotation": "three analysts",
            "annotation_description": "two borders",
        },
    ),
    categories=(Category("intima_media", "vessel"),),
    cases=cases,
    read=read,
    needs=("**/IMAGES/*.{tif,tiff}", f"**/LIMA-Profiles/{ANALYST}/*-LI.txt"),
)
