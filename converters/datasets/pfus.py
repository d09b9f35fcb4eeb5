"""PFUS1: eight structures of the pelvic floor, polygons in JSON beside each frame."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..engine.errors import CaseError
from ..engine.find import glob, match
from ..engine.masks import polygons
from ..engine.read import image, json_file
from ..engine.types import Card, Case, Category, Dataset, Frame, Skip

NAMES = (
    "pubis",
    "urethra",
    "bladder",
    "uterus",
    "vagina",
    "anus",
    "rectum",
    "levator_ani_muscle",
)


def key(path: Path) -> str:
    """Patient and frame."""
    return f"{path.parent.name}/{path.stem}"


def cases(root: Path) -> Iterator[Case | CaseError]:
    """`P000/frame_001.png` and `.json`."""
    images, files = glob(root, "P*/frame_*.png"), glob(root, "P*/frame_*.json")
    for found in match(images, files, key, key):
        if isinstance(found, CaseError):
            yield found
        else:
            files_of = {"image": found[0], "polygons": found[1]}
            yield Case(key(found[0]), files_of, subject=found[0].parent.name)


def read(case: Case) -> Iterator[Frame | Skip]:
    """Each polygon is a structure; they may overlap. Structures that are not seen have no points."""
    picture = image(case.files["image"])
    path, rings, empty = case.files["polygons"], [], 0
    content = json_file(path)
    if not isinstance(content, list):
        raise CaseError(path, "expected a list of structures")
    for entry in content:
        name = str(entry["label"]).strip().lower().replace(" ", "_")
        if name not in NAMES:
            raise CaseError(path, f"unknown structure {entry['label']!r}")
        if len(entry["pol"]) < 3:
            empty += 1
        else:
            rings.append((name, entry["pol"]))
    yield Frame(picture, polygons(rings, (picture.shape[0], picture.shape[1])))
    if empty:
        yield Skip("structure of fewer than three points", empty)


DATASET = Dataset(
    name="pfus",
    card=Card(
        title="PFUS1: Premier Pelvic Floor Ultrasound Segmentation Dataset",
        link="https://doi.org/10.5281/zenodo.10800787",
        citation="PFUS1, doi 10.5281/zenodo.10800787",
        license="CC BY",
        commercial=True,
        anatomy="pelvic floor",
        application="pelvic floor",
        organ="pelvis",
        subjects=110,
        tree="PFUS1/data/\n  P000/frame_000.png, frame_000.json ...\n  P001/...",
        quirks=(
            "frames of one video are near duplicates: a patient stays on one side",
            "structures overlap and are whole",
        ),
        guesses=(
            "there are eight structures, by name in any spelling of case and blanks; others are refused",
        ),
        layout="the authors' description of the archive",
        source="https://github.com/dasolma/pfus1",
        facts={"mode": "2D+t", "sample": "frame of a video", "patients": "110", "annotation": "polygons"},
    ),
    categories=tuple(Category(name, "pelvic floor") for name in NAMES),
    cases=cases,
    read=read,
    needs=("P*/frame_*.png", "P*/frame_*.json"),
)
