"""Porcine spinal cord: nine structures in the colors of PASCAL VOC."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..engine.errors import CaseError
from ..engine.find import pairs
from ..engine.masks import colors
from ..engine.read import image
from ..engine.types import Card, Case, Category, Dataset, Frame

COLORS: dict[tuple[int, int, int], str | None] = {
    (0, 0, 0): None,
    (128, 0, 0): "dura",
    (0, 128, 0): "pia",
    (128, 128, 0): "cerebrospinal_fluid",
    (0, 0, 128): "spinal_cord",
    (128, 0, 128): "dorsal_space",
    (0, 128, 128): "hematoma",
    (128, 128, 128): "ventral_space",
    (64, 0, 0): "dura_ventral_complex",
    (192, 0, 0): "dura_pia_complex",
}
NAMES = tuple(name for name in COLORS.values() if name is not None)


def cases(root: Path) -> Iterator[Case | CaseError]:
    """Official folders; names may repeat between them."""
    for split in ("train", "val", "test"):
        yield from pairs(
            root,
            f"{split}_images/*.png",
            f"{split}_masks/*.png",
            make=lambda key, path, split=split: {"split": split},  # type: ignore[misc]
            prefix=f"{split}/",
        )


def read(case: Case) -> Iterator[Frame]:
    """Exact colors in RGB order."""
    objects, _ = colors(image(case.files["mask"]), COLORS)
    yield Frame(image(case.files["image"]), objects)


DATASET = Dataset(
    name="porcine_spinal_cord",
    card=Card(
        title="Porcine spinal cord before and after contusion, semantic segmentation part",
        link="https://github.com/avishakumar21/ultrasound-spinal-cord-dataset",
        citation="Kumar et al., A novel open-source ultrasound dataset with deep learning benchmarks",
        anatomy="porcine spinal cord",
        application="preclinical / spinal cord injury",
        organ="spine",
        images=10223,
        masks=10223,
        tree="{train,val,test}_images/<name>.png\n{train,val,test}_masks/<name>.png",
        quirks=(
            "classes are colors of the PASCAL VOC palette; others are refused",
            "thin layers: pieces from 10 pixels up are kept",
        ),
        guesses=("the nine colors stand for the structures in the order of a public loader",),
        unchecked=("no pig is in two of the official folders",),
        layout="the loader of a public project; counts from the authors",
        facts={
            "mode": "2D+t",
            "centres": "one",
            "geography": "USA",
            "patients": "25 pigs",
            "metadata": "before or after the injury",
            "split_sizes": "three folders",
        },
    ),
    categories=tuple(Category(name, "spinal cord") for name in NAMES),
    cases=cases,
    read=read,
    needs=("train_images/*.png", "train_masks/*.png"),
)
