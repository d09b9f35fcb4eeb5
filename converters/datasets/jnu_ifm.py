"""JNU-IFM: pubic symphysis and fetal head in videos of labor, masks of class numbers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..engine.errors import CaseError
from ..engine.find import glob, match
from ..engine.recipes import label_still
from ..engine.types import Card, Case, Category, Dataset


def key(path: Path) -> str:
    """Video and frame; masks have `_mask` behind."""
    return f"{path.parent.parent.name}/{path.stem.removesuffix('_mask')}"


def cases(root: Path) -> Iterator[Case | CaseError]:
    """A folder for each video."""
    for found in match(glob(root, "*/image/*.png"), glob(root, "*/mask/*_mask.png"), key, key):
        if isinstance(found, CaseError):
            yield found
        else:
            video = found[0].parent.parent.name
            yield Case(key(found[0]), {"image": found[0], "mask": found[1]}, subject=video)


DATASET = Dataset(
    name="jnu_ifm",
    card=Card(
        title="JNU-IFM: intrapartum transperineal ultrasound videos",
        link="https://figshare.com/articles/dataset/JNU-IFM/14371652",
        citation="Lu et al., Data in Brief 2022, S2352340922001160",
        anatomy="pubic symphysis, fetal head",
        application="obstetrics / intrapartum",
        organ="fetus",
        masks=6224,
        subjects=78,
        tree="us_data/\n  20190909T155747/\n    image/20190909T155747_0.png ...\n"
        "    mask/20190909T155747_0_mask.png ...\n    mask_enhance/...  frame_label.csv",
        quirks=(
            "masks hold the class numbers 7 and 8 and look black; mask_enhance, in color, is ignored",
            "a video stays on one side of the split",
            "the later sets of the same group (psfhs, fh_ps_aop) may repeat frames: run the audit",
        ),
        guesses=("7 is the symphysis and 8 the head; other values are refused",),
        unchecked=("78 videos are of 51 patients: which are of one cannot be told",),
        overlaps=("fh_ps_aop", "psfhs"),
        layout="the loaders of two public projects",
        facts={
            "mode": "2D+t",
            "geography": "China",
            "patients": "51",
            "sample": "frame of a video",
            "metadata": "what each frame shows",
            "protocol": "transperineal",
        },
    ),
    categories=(Category("pubic_symphysis", "intrapartum"), Category("fetal_head", "intrapartum")),
    cases=cases,
    read=label_still({7: "pubic_symphysis", 8: "fetal_head"}),
    needs=("*/image/*.png", "*/mask/*_mask.png"),
)
