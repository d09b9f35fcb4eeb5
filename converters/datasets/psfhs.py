"""PSFHS: pubic symphysis and fetal head, stored as those of FH-PS-AOP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..engine.errors import CaseError
from ..engine.find import pairs
from ..engine.types import Card, Case, Category, Dataset
from .fh_ps_aop import read


def cases(root: Path) -> Iterator[Case | CaseError]:
    """Pairs of equal names."""
    return pairs(root, "image_mha/*.mha", "label_mha/*.mha")


DATASET = Dataset(
    name="psfhs",
    card=Card(
        title="PSFHS: intrapartum ultrasound images, pubic symphysis and fetal head",
        link="https://zenodo.org/records/10969427",
        citation="Chen et al., Scientific Data 2024, doi 10.1038/s41597-024-03266-4",
        anatomy="pubic symphysis, fetal head",
        application="obstetrics / intrapartum",
        organ="fetus",
        images=1358,
        masks=1358,
        tree="PSFHS/\n  image_mha/00001.mha ...\n  label_mha/00001.mha ...",
        quirks=(
            "images are three equal channels first, not three slices",
            "no patient ids: near duplicates may fall on both sides, run the audit",
        ),
        guesses=("values are 1 symphysis and 2 head, as in fh_ps_aop; others are refused",),
        overlaps=("fh_ps_aop", "jnu_ifm"),
        layout="the loader of a public project",
        facts={
            "mode": "2D diagnostic planes",
            "centres": "several",
            "geography": "China",
            "challenge": "PSFHS, MICCAI 2023",
            "protocol": "transperineal",
            "annotation": "experts, by a standard protocol",
        },
    ),
    categories=(Category("pubic_symphysis", "intrapartum"), Category("fetal_head", "intrapartum")),
    cases=cases,
    read=read,
    needs=("image_mha/*.mha", "label_mha/*.mha"),
)
