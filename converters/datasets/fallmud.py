"""FALLMUD: aponeuroses and fascicles of leg muscles, one JPEG or TIFF mask each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..engine.errors import CaseError
from ..engine.find import glob
from ..engine.masks import binary
from ..engine.read import gray, image
from ..engine.types import Array, Card, Case, Category, Dataset, Frame, Instances

PARTS = ("NeilCronin", "RyanCunningham")
TYPES = "{tif,tiff,jpg,jpeg,png}"


def cases(root: Path) -> Iterator[Case | CaseError]:
    """Image and both masks by stem, whatever the endings; stems may repeat between the parts."""
    for part in PARTS:
        found = {
            role: {path.stem: path for path in glob(root, f"{part}/{folder}/*.{TYPES}")}
            for role, folder in (
                ("image", "images"),
                ("aponeurosis", "aponeurosis_masks"),
                ("fascicle", "fascicle_masks"),
            )
        }
        for stem, path in found["image"].items():
            missing = [role for role in ("aponeurosis", "fascicle") if stem not in found[role]]
            if missing:
                yield CaseError(path, f"image without {' and '.join(missing)} mask")
            else:
                yield Case(f"{part}/{stem}", {role: files[stem] for role, files in found.items()}, label=part)
        for role in ("aponeurosis", "fascicle"):
            orphans = [path for stem, path in found[role].items() if stem not in found["image"]]
            yield from (CaseError(path, "mask without image") for path in orphans)


def upright(mask: Array, size: tuple[int, int]) -> tuple[Array, tuple[str, ...]]:
    """A mask whose axes are swapped is turned clockwise; any other size is an error."""
    if mask.shape == size:
        return mask, ()
    if mask.shape == size[::-1]:
        return np.rot90(mask, -1), ("mask turned by 90 degrees clockwise",)
    raise ValueError(f"mask of {mask.shape[::-1]} for an image of {size[::-1]} pixels")


def read(case: Case) -> Iterator[Frame]:
    """Aponeurosis masks of one part are turned; a square image would hide it and is refused there."""
    picture = image(case.files["image"])
    size = (picture.shape[0], picture.shape[1])
    if size[0] == size[1] and case.label == "RyanCunningham":
        raise ValueError("a square image does not show whether its mask is turned")
    line, notes = upright(gray(case.files["aponeurosis"]), size)
    fascicle, more = upright(gray(case.files["fascicle"]), size)
    objects = binary(line, "aponeurosis") + binary(fascicle, "fascicle")
    yield Frame(picture, objects, notes=(*notes, *more))


DATASET = Dataset(
    name="fallmud",
    card=Card(
        title="FALLMUD: FAscicle Lower Leg MUscle Ultrasound Dataset",
        link="https://kalisteo.cea.fr/index.php/fallmud/",
        anatomy="lower-leg muscle",
        application="musculoskeletal",
        organ="muscle",
        images=812,
        masks=1624,
        tree="FALLMUD/\n  NeilCronin/{images,aponeurosis_masks,fascicle_masks}/img_00001.{tif,jpg} ...\n"
        "  RyanCunningham/{images,aponeurosis_masks,fascicle_masks}/0.jpg ...",
        quirks=(
            "aponeurosis masks of RyanCunningham are turned by 90 degrees: turned back, never resized",
            "masks are lossy: foreground is 128 and up, pieces under 20 pixels are dropped and counted",
            "endings differ between image and mask; stems repeat between the two parts",
        ),
        differs=("fascicles are annotated; the published conversion sets their masks to 0",),
        overlaps=("dl_track",),
        facts={"mode": "2D diagnostic planes", "device": "linear", "centres": "several"},
    ),
    categories=(Category("aponeurosis", "muscle"), Category("fascicle", "muscle")),
    cases=cases,
    read=read,
    instances=Instances(min_area=20, border_strip=0),
    needs=("{NeilCronin,RyanCunningham}/images/*", "{NeilCronin,RyanCunningham}/aponeurosis_masks/*"),
)
