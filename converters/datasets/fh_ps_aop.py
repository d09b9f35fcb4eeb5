"""FH-PS-AOP: pubic symphysis and fetal head, MetaImage files with three equal channels first."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..engine.errors import CaseError
from ..engine.find import pairs
from ..engine.masks import field_of_view, label_map
from ..engine.types import Card, Case, Category, Dataset, Frame
from ..engine.volumes import labels, to_uint8, volume

BLOCK = 50


def block(name: str) -> str:
    """Consecutive numbers are likely one video: they stay on one side."""
    return f"numbers {int(name) // BLOCK * BLOCK:05d}" if name.isdecimal() else name


def cases(root: Path) -> Iterator[Case | CaseError]:
    """Pairs of equal names."""
    return pairs(root, "image_mha/*.mha", "label_mha/*.mha", make=lambda key, path: {"subject": block(key)})


def read(case: Case) -> Iterator[Frame]:
    """The first of three equal channels; labels outside of the sector are kept and noted."""
    channels, notes = to_uint8(volume(case.files["image"]))
    if channels.ndim != 3 or channels.shape[0] != 3 or not (channels == channels[:1]).all():
        raise ValueError(f"expected three equal channels first, found an array of {channels.shape}")
    values = labels(case.files["mask"], channels.shape[1:])
    objects = label_map(values, {1: "pubic_symphysis", 2: "fetal_head"})
    outside = (values > 0) & ~field_of_view(channels[:1])
    if np.count_nonzero(outside) > 0.05 * np.count_nonzero(values):
        notes = (*notes, "more than 5 % of the label lies outside of the sector")
    yield Frame(np.ascontiguousarray(channels[0]), objects, notes=notes)


DATASET = Dataset(
    name="fh_ps_aop",
    card=Card(
        title="FH-PS-AOP: Pubic Symphysis and Fetal Head segmentation, training part",
        link="https://zenodo.org/records/10829116",
        anatomy="pubic symphysis, fetal head",
        application="obstetrics / intrapartum",
        organ="fetus",
        images=4000,
        masks=4000,
        tree="Pubic Symphysis-Fetal Head Segmentation and Angle of Progression/ (zip in a zip)\n"
        "  image_mha/00001.mha ...\n  label_mha/00001.mha ...",
        quirks=(
            "images are three equal channels first, not three slices",
            "labels may reach over the sector: kept, and noted where it is more than 5 %",
            "license CC BY 4.0 is not confirmed: counted as not stated",
        ),
        unchecked=("numbers follow the videos: blocks of 50 stay on one side of the split",),
        overlaps=("jnu_ifm", "psfhs"),
        facts={
            "mode": "2D+t",
            "centres": "several",
            "challenge": "FH-PS-AOP, MICCAI 2023",
            "protocol": "transperineal",
        },
    ),
    categories=(Category("pubic_symphysis", "intrapartum"), Category("fetal_head", "intrapartum")),
    cases=cases,
    read=read,
    needs=("image_mha/*.mha", "label_mha/*.mha"),
)
