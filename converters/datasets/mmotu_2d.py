"""MMOTU-2D: ovarian tumors, the class as the color of the mask; `val` is UltraSam's test set."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..engine.errors import CaseError
from ..engine.find import glob, match, stem
from ..engine.masks import colors, fit
from ..engine.read import image, lines
from ..engine.types import Card, Case, Category, Dataset, Frame, Instances

NAMES = (
    "chocolate_cyst",
    "serous_cystadenoma",
    "teratoma",
    "theca_cell_tumor",
    "simple_cyst",
    "normal_ovary",
    "mucinous_cystadenoma",
    "high_grade_serous",
)
CODES = ((64, 0, 0), (0, 64, 0), (0, 0, 64), (64, 0, 64), (64, 64, 0), (64, 64, 64), (0, 128, 0), (0, 0, 128))
COLORS: dict[tuple[int, int, int], str | None] = {(0, 0, 0): None, **dict(zip(CODES, NAMES, strict=True))}


def cases(root: Path) -> Iterator[Case | CaseError]:
    """Split and class from the lists; a name that they lack is an error, never a guess."""
    listed: dict[str, tuple[str, str]] = {}
    for side, split in (("train", "train"), ("val", "test")):
        for line in lines(glob(root, f"{side}_cls.txt")[0]):
            name, number = line.split()
            listed[Path(name).stem] = (split, NAMES[int(number)])
    masks = [path for path in glob(root, "annotations/*.png") if "_" not in path.stem]
    for found in match(glob(root, "images/*.jpg"), masks, stem, stem):
        if isinstance(found, CaseError):
            yield found
        elif found[0].stem not in listed:
            yield CaseError(found[0], "not listed in train_cls.txt or val_cls.txt")
        else:
            split, label = listed[found[0].stem]
            yield Case(found[0].stem, {"image": found[0], "mask": found[1]}, split=split, label=label)


def read(case: Case) -> Iterator[Frame]:
    """Nine colors in RGB order; their class has to agree with the list."""
    picture = image(case.files["image"])
    mask, notes = fit(image(case.files["mask"]), (picture.shape[0], picture.shape[1]))
    objects, _ = colors(mask, COLORS)
    wrong = sorted({item.category for item in objects} - {case.label})
    if wrong:
        raise ValueError(f"the mask's color says {wrong[0]}, the list says {case.label}")
    yield Frame(picture, objects, notes=notes)


DATASET = Dataset(
    name="mmotu_2d",
    card=Card(
        title="MMOTU-2D (OTU_2d): Multi-Modality Ovarian Tumor Ultrasound",
        link="https://github.com/cv516Buaa/MMOTU_DS2Net",
        citation="Zhao et al. 2022",
        anatomy="ovary",
        application="ovarian lesions",
        organ="ovary",
        images=1469,
        masks=1469,
        tree="OTU_2d/\n  images/1.JPG ...  annotations/1.PNG, 1_binary.PNG ...\n  train_cls.txt  val_cls.txt",
        quirks=(
            "calipers and letters are burned into most images: a model can learn them as a shortcut",
            "pieces under 5 % of the largest of their class are dropped and counted",
            "mask color and list are checked against each other",
            "247 patients, no ids in the release",
        ),
        differs=("images that the lists lack are an error",),
        overlaps=("mmotu_3d",),
        facts={
            "mode": "2D diagnostic planes",
            "centres": "one",
            "geography": "China",
            "patients": "247",
            "split_sizes": "1,000/469",
        },
    ),
    categories=tuple(Category(name, "ovarian lesion") for name in NAMES),
    cases=cases,
    read=read,
    instances=Instances(min_share=0.05),
    needs=("images/*.jpg", "annotations/*.png", "train_cls.txt", "val_cls.txt"),
    benchmark=True,
)
