"""DDTI: thyroid nodules, in the re-processed edition or the original one with outlines in XML."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path

from ..engine.errors import CaseError
from ..engine.find import glob, pairs
from ..engine.masks import binary, fit, polygons
from ..engine.read import gray, image, text
from ..engine.types import Card, Case, Category, Dataset, Frame, Skip

#: Three versions of the same scans, the borderless one first; exactly one is used.
EDITIONS = (("stage1/p_image", "stage1/p_mask"), ("1_or_data/image", "1_or_data/mask"))

#: The original archive holds no more characters of the outlines of an image.
CUT = 2500


def cases(root: Path) -> Iterator[Case | Skip | CaseError]:
    """Whichever edition is there; `category.csv` holds invented classes and is never read."""
    for images, masks in EDITIONS:
        if glob(root, f"**/{images}/*.png"):
            yield from pairs(root, f"**/{images}/*.png", f"**/{masks}/*.png")
            return
    for path in glob(root, "*.xml"):
        yield from original(root, path)


def original(root: Path, path: Path) -> Iterator[Case | Skip | CaseError]:
    """One patient's file: outlines for the images K of case N, `N_K.jpg`, each image for itself."""
    try:
        marks = list(ElementTree.fromstring(text(path)).iter("mark"))
    except ElementTree.ParseError as error:
        yield CaseError(path, f"no outlines can be read: {error}")
        return
    rings: dict[str, list[list[list[float]]]] = {}
    unusable: set[str] = set()
    for mark in marks:
        number, shapes = (mark.findtext("image") or "").strip(), mark.findtext("svg") or ""
        try:
            outlines, others = drawn(shapes)
        except (ValueError, KeyError, TypeError) as error:
            unusable.add(number)
            if len(shapes) == CUT:
                yield Skip(f"image whose outlines the archive cuts off after {CUT:,} characters")
            else:
                yield CaseError(path, f"the outlines of image {number} cannot be read: {error}")
            continue
        rings.setdefault(number, []).extend(outlines)
        yield from (Skip(f"mark that is no outline: {kind}") for kind in others)
    # The outlines of an image are all there or it is left out.
    rings = {number: outlines for number, outlines in rings.items() if outlines and number not in unusable}
    if not rings and not unusable:
        yield Skip("case without outline")
    for number, outlines in rings.items():
        picture = path.with_name(f"{path.stem}_{number}.jpg")
        if picture.is_file():
            yield Case(picture.stem, {"image": picture}, subject=path.stem, data=outlines)
        else:
            yield CaseError(picture, "outline without image")


def drawn(shapes: str) -> tuple[list[list[list[float]]], list[str]]:
    """The freehand outlines of a list of marks, and what the marks are that enclose nothing.

    Arrows point at a nodule whose outline is another mark.
    """
    outlines, others = [], []
    for shape in json.loads(shapes.strip() or "[]"):
        ring = [[float(p["x"]), float(p["y"])] for p in shape["points"]]
        kind = shape.get("regionType", "freehand")
        if kind != "freehand":
            others.append(kind)
        elif len({(x, y) for x, y in ring}) < 3:
            others.append("fewer than three points")
        else:
            outlines.append(ring)
    return outlines, others


def read(case: Case) -> Iterator[Frame]:
    """A mask file, or polygons: each is a nodule."""
    picture = image(case.files["image"])
    size = (picture.shape[0], picture.shape[1])
    if "mask" in case.files:
        mask, notes = fit(gray(case.files["mask"]), size)
        yield Frame(picture, binary(mask, "thyroid_nodule"), notes=notes)
    else:
        yield Frame(picture, polygons((("thyroid_nodule", ring) for ring in case.data), size))


DATASET = Dataset(
    name="ddti",
    card=Card(
        title="DDTI: Digital Database Thyroid Image (re-processed copy shipped with TN3K)",
        link="https://github.com/openmedlab/Awesome-Medical-Dataset/blob/main/resources/DDTI.md",
        citation="Pedraza et al. 2015",
        anatomy="thyroid nodule",
        application="thyroid nodules",
        organ="thyroid",
        images=637,
        masks=637,
        tree="TN3K.zip -> Thyroid Dataset/DDTI dataset/DDTI.zip"
        "\n  2_preprocessed_data/stage1/{p_image,p_mask}/0000.PNG ...\n"
        "  or 1_or_data/{image,mask}/0000.PNG ...\n  or the original: N.xml with N_K.jpg",
        quirks=(
            "stage1, stage2 and 1_or_data are the same scans: one is used (stage1, else 1_or_data)",
            "category.csv holds invented classes and is not read",
            "the re-processed copy has no patient ids; the original has",
            "the original marks nodules with arrows too, in 6 images: counted, and no outlines",
            "the original cuts the outlines of 8 images off after 2,500 characters: these images are left "
            "out, the others of their cases are not",
            "some masks of the re-processed copy have strips of one or two pixels along the image border: "
            "dropped and counted",
            "a common external test set for models trained on TN3K",
        ),
        overlaps=("tn3k", "tnscui"),
        facts={
            "mode": "2D diagnostic planes",
            "machines": "one",
            "geography": "Colombia",
            "patients": "about 390 cases",
            "sample": "image of a case",
        },
    ),
    categories=(Category("thyroid_nodule", "nodule"),),
    cases=cases,
    read=read,
    version="2",
    needs=(
        "**/stage1/p_image/*.png|**/1_or_data/image/*.png|*_1.jpg",
        "**/stage1/p_mask/*.png|**/1_or_data/mask/*.png|*.xml",
    ),
)
