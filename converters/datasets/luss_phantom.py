"""LUSS_phantom: ribs, pleura and artifacts of a lung phantom, masks of class numbers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..engine.errors import CaseError
from ..engine.find import glob, pairs
from ..engine.recipes import label_still
from ..engine.types import Card, Case, Category, Dataset

NAMES = {1: "rib", 2: "pleural_line", 3: "A_line", 4: "B_line", 5: "B_line_confluence"}


def cases(root: Path) -> Iterator[Case | CaseError]:
    """Official folders; frames `<clip>-F<n>` of a clip belong together."""
    for split in ("train", "test"):
        if glob(root, f"{split}/masks/*.png"):
            yield from pairs(
                root,
                f"{split}/images/*.png",
                f"{split}/masks/*.png",
                make=lambda key, path, split=split: {  # type: ignore[misc]
                    "subject": key.rpartition("-F")[0] or key,
                    "split": split,
                },
                prefix=f"{split}/",
            )


DATASET = Dataset(
    name="luss_phantom",
    card=Card(
        title="LUSS_phantom: lung ultrasound segmentation, training phantom",
        link="https://archive.researchdata.leeds.ac.uk/1263/",
        citation="Howell and McLaughlan 2024, doi 10.5518/1485",
        anatomy="lung phantom",
        application="lung",
        organ="lung",
        images=564,
        masks=564,
        tree="data-3/ (or data/)\n  train/{images,masks}/<clip>-F<frame>.png\n  test/{images,masks}/...",
        quirks=(
            "masks hold class numbers and look black; palettes are not looked up",
            "names may repeat in train and test",
            "a clip in both official parts keeps its test frames; its training frames are held out",
            "artifacts that cross cut each other into pieces: all pieces from 10 pixels up are kept",
            "license CC BY 4.0 is not confirmed: counted as not stated",
        ),
        facts={
            "mode": "2D+t",
            "geography": "United Kingdom",
            "patients": "phantom",
            "sample": "frame of a clip",
        },
    ),
    categories=tuple(Category(name, "lung") for name in NAMES.values()),
    cases=cases,
    read=label_still(NAMES),
    needs=("train/images/*.png", "train/masks/*.png"),
)
