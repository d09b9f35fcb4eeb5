"""MicroSeg: the prostate volumes of MUP, listed a second time in US-43d."""

from __future__ import annotations

from dataclasses import replace

from ..engine.types import Twin
from .mup import DATASET as MUP

DATASET = replace(
    MUP,
    name="micro_seg",
    card=replace(
        MUP.card,
        title="MicroSeg: Micro-Ultrasound Prostate Segmentation Dataset (the same record as MUP)",
        quirks=("the same 75 patients as mup: the merge counts them once", *MUP.card.quirks),
        differs=(
            "75 volumes; the published conversion pairs by number alone and loses 20",
            "flipped like mup and not turned by 180 degrees, so that the two are one data set",
            "no holes at black pixels inside the gland",
        ),
        same_as=Twin("mup"),
    ),
)
