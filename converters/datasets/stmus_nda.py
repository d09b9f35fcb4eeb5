"""STMUS_NDA: cross-sections of three muscles, healthy and pathological."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..engine.errors import CaseError
from ..engine.find import glob, pairs
from ..engine.recipes import binary_still
from ..engine.types import Card, Case, Category, Dataset

COPIES = "Segmentation_models/data/MuscleCNN"


def cases(root: Path) -> Iterator[Case | CaseError]:
    """Muscle, condition and stem are the key; the split is that of the authors' copies."""
    split: dict[str, str | None] = {}
    for side in ("train", "val", "test"):
        for path in glob(root, f"{COPIES}/{side}/*.png"):
            split[path.stem] = None if path.stem in split else side
    for muscle in ("BB", "GM", "TA"):
        for condition in ("Healthy", "Pathological"):
            folder = f"{muscle}/{condition}"
            yield from pairs(
                root,
                f"{folder}/Images/*.png",
                f"{folder}/Masks/*.png",
                make=lambda key, path: {"split": split.get(key) or ("train" if split else None)},
                prefix=f"{folder}/",
            )


DATASET = Dataset(
    name="stmus_nda",
    card=Card(
        title="Transverse musculoskeletal ultrasound for neuromuscular disease assessment (STMUS_NDA)",
        link="https://data.mendeley.com/datasets/3jykz7wz8d/1",
        citation="Marzola et al. 2021, doi 10.1016/j.compbiomed.2021.104623",
        license="CC BY 4.0",
        commercial=True,
        anatomy="muscle cross-section",
        application="musculoskeletal",
        organ="muscle",
        images=3917,
        masks=3917,
        subjects=1283,
        tree="Polito-Radboud-DeepLearningUS/ (zip in a zip)"
        "\n  {BB,GM,TA}/{Healthy,Pathological}/{Images,Masks}/<name>.png\n"
        "  Segmentation_models/data/MuscleCNN/{train,val,test}/<name>.png  (copies, for the split only)",
        quirks=(
            "equal names in two folders are different images",
            "MuscleCNN repeats every image: it only tells the split",
            "a name in two parts of the official split is taken for training",
            "any non-zero pixel of a mask is muscle",
        ),
        guesses=("the official parts are subject-disjoint, as names carry no subject",),
        differs=("official split kept",),
        facts={
            "mode": "2D diagnostic planes",
            "centres": "one",
            "geography": "Netherlands",
            "patients": "1,283",
            "split_sizes": "2,531/666/713",
            "metadata": "muscle, condition",
        },
    ),
    categories=(Category("muscle_csa", "muscle"),),
    cases=cases,
    read=binary_still("muscle_csa", threshold=1),
    needs=("{BB,GM,TA}/{Healthy,Pathological}/Images/*.png", "{BB,GM,TA}/{Healthy,Pathological}/Masks/*.png"),
)
