"""MMOTU-3D: contrast-enhanced stills of ovarian lesions; no volumes, despite the name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..engine.errors import CaseError
from ..engine.find import glob, match, stem
from ..engine.masks import colors, fit
from ..engine.read import image, lines
from ..engine.types import Card, Case, Category, Dataset, Frame, Instances
from .mmotu_2d import COLORS


def cases(root: Path) -> Iterator[Case | CaseError]:
    """Official lists of bare stems."""
    split: dict[str, str] = {}
    for side, name in (("train", "train"), ("val", "test")):
        split.update(dict.fromkeys((Path(line).stem for line in lines(glob(root, f"{side}.txt")[0])), name))
    masks = [path for path in glob(root, "annotations/*.png") if "_" not in path.stem]
    for found in match(glob(root, "images/*.jpg"), masks, stem, stem):
        if isinstance(found, CaseError):
            yield found
        elif found[0].stem not in split:
            yield CaseError(found[0], "not listed in train.txt or val.txt")
        else:
            name = found[0].stem
            yield Case(name, {"image": found[0], "mask": found[1]}, split=split[name])


def read(case: Case) -> Iterator[Frame]:
    """Any of the class colors is lesion; others are refused."""
    picture = image(case.files["image"])
    mask, notes = fit(image(case.files["mask"]), (picture.shape[0], picture.shape[1]))
    objects, _ = colors(mask, {code: name and "lesion" for code, name in COLORS.items()})
    yield Frame(picture, objects, notes=notes)


DATASET = Dataset(
    name="mmotu_3d",
    card=Card(
        title="MMOTU-3D (OTU_3d, OTU_CEUS): contrast-enhanced ovarian tumors",
        link="https://github.com/cv516Buaa/MMOTU_DS2Net",
        citation="Zhao et al. 2022",
        anatomy="ovary",
        application="ovarian lesions",
        organ="ovary",
        images=170,
        masks=170,
        tree="OTU_3d/\n  images/1.JPG ...  annotations/1.PNG, 1_binary.PNG ...\n  train.txt  val.txt",
        quirks=(
            "two-dimensional stills, not volumes",
            "the hospital of MMOTU-2D, patients may overlap: leave it out for a strict test on MMOTU-2D",
            "an image may show two panels of which one is annotated",
        ),
        guesses=("masks use the nine colors of OTU_2d; others are refused",),
        differs=("the official test part stays apart",),
        overlaps=("mmotu_2d",),
        facts={
            "mode": "2D diagnostic planes",
            "centres": "one",
            "geography": "China",
            "split_sizes": "70/100",
            "technique": "contrast-enhanced",
        },
    ),
    categories=(Category("lesion", "ovarian lesion"),),
    cases=cases,
    read=read,
    instances=Instances(min_share=0.05),
    needs=("images/*.jpg", "annotations/*.png", "train.txt", "val.txt"),
)
