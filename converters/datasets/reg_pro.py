"""mu-RegPro: prostate and landmarks in 3D ultrasound, sagittal slices, overlapping label channels."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..engine.errors import CaseError
from ..engine.find import glob, match
from ..engine.recipes import NO_LABEL
from ..engine.types import Card, Case, Category, Dataset, Frame, Instances, Object, Skip
from ..engine.volumes import labels, to_uint8, volume


def key(path: Path) -> str:
    """`case000065`; numbers go on over the official parts."""
    return path.name.removesuffix(".gz").removesuffix(".nii")


def cases(root: Path) -> Iterator[Case | CaseError]:
    """The ultrasound folders only, by exact name."""
    for split in ("train", "val"):
        images, masks = glob(root, f"{split}/us_images/*.nii.gz"), glob(root, f"{split}/us_labels/*.nii.gz")
        for found in match(images, masks, key, key):
            if isinstance(found, CaseError):
                yield found
            else:
                name = key(found[0])
                yield Case(name, {"image": found[0], "mask": found[1]}, subject=name, split=split)


def read(case: Case) -> Iterator[Frame | Skip]:
    """One image per x, rows z and columns y, turned by 180 degrees; one object per channel."""
    pictures, notes = to_uint8(volume(case.files["image"]))
    values = labels(case.files["mask"], (6, *pictures.shape)) != 0
    sizes = values.sum(axis=(1, 2, 3))
    if sizes.argmax() != 0:
        raise ValueError(f"channel 0 should be the gland, but channel {int(sizes.argmax())} is the largest")
    pictures = np.flip(np.moveaxis(pictures, 2, 0), (1, 2))
    values = np.flip(np.moveaxis(values, 3, 0), (2, 3))
    empty = 0
    for index, (picture, channels) in enumerate(zip(pictures, values, strict=True)):
        names = ["prostate"] + ["landmark"] * 5
        objects = [Object(name, mask) for name, mask in zip(names, channels, strict=True) if mask.any()]
        if objects:
            yield Frame(np.ascontiguousarray(picture), objects, index=index, notes=notes)
        else:
            empty += 1
    if empty:
        yield Skip(NO_LABEL, empty)


DATASET = Dataset(
    name="reg_pro",
    card=Card(
        title="mu-RegPro: MR to Ultrasound Registration for Prostate (ultrasound part)",
        link="https://muregpro.github.io/data.html",
        citation="doi 10.5281/zenodo.7870104",
        license="CC BY-NC-SA 4.0",
        anatomy="prostate",
        application="prostate",
        organ="prostate",
        masks=73,
        subjects=73,
        tree="train.zip -> train/us_images/case000000.nii.gz, train/us_labels/case000000.nii.gz ...\n"
        "val.zip -> val/us_images/case000065.nii.gz ...",
        quirks=(
            "six label channels overlap: landmarks lie inside the gland; each stays an object",
            "landmarks of fewer than 5 pixels in a slice are dropped and counted",
            "sagittal slices, turned by 180 degrees; gray values outside 0 to 255 are scaled by volume",
        ),
        guesses=("channel 0 is the gland: it has to be the largest in every case",),
        differs=("prostate and landmark instead of one unknown class", "official validation part kept"),
        facts={
            "mode": "3D reconstructed from 2D",
            "device": "bi-plane transrectal, 9 MHz",
            "centres": "several",
            "split_sizes": "65/8/35",
            "patients": "108 men",
            "multimodal": "MR pairs",
            "challenge": "mu-RegPro",
            "sample": "volume",
        },
    ),
    categories=(Category("prostate", "prostate"), Category("landmark", "prostate")),
    cases=cases,
    read=read,
    instances=Instances(min_area=5),
    needs=("train/us_images/*.nii.gz", "train/us_labels/*.nii.gz"),
)
