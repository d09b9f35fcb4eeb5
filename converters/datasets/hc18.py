"""HC18: fetal heads, drawn as an ellipse outline that has to be filled."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..engine.errors import CaseError
from ..engine.find import glob, match, stem
from ..engine.masks import fill_outline
from ..engine.read import gray, image
from ..engine.types import Card, Case, Category, Dataset, Frame, Object, Skip


def cases(root: Path) -> Iterator[Case | Skip | CaseError]:
    """The training part; `010_2HC` is the second image of exam 010."""
    masks = glob(root, "training_set/*_Annotation.png")
    images = [path for path in glob(root, "training_set/*HC.png") if path not in masks]
    for found in match(images, masks, stem, lambda path: path.stem.removesuffix("_Annotation")):
        if isinstance(found, CaseError):
            yield found
        else:
            name = found[0].stem
            yield Case(name, {"image": found[0], "mask": found[1]}, subject=name.split("_")[0])
    bare = len(glob(root, "test_set/*HC.png"))
    if bare:
        yield Skip("test image without annotation", bare)


def read(case: Case) -> Iterator[Frame]:
    """Any non-zero value is outline; filled also where the image border cuts it."""
    picture = image(case.files["image"])
    outline = gray(case.files["mask"]) > 0
    if outline.shape != picture.shape[:2]:
        raise ValueError(f"mask of {outline.shape[::-1]} for an image of {picture.shape[1::-1]} pixels")
    objects = [Object("fetal_head", fill_outline(outline))] if outline.any() else []
    yield Frame(picture, objects)


DATASET = Dataset(
    name="hc18",
    card=Card(
        title="HC18: automated measurement of fetal head circumference",
        link="https://hc18.grand-challenge.org/",
        citation="van den Heuvel et al. 2018, doi 10.5281/zenodo.1322001",
        license="CC BY 4.0",
        commercial=True,
        anatomy="fetal head",
        application="obstetrics / fetal biometry",
        organ="fetus",
        images=999,
        masks=999,
        subjects=806,
        tree="training_set.zip -> training_set/000_HC.png, 000_HC_Annotation.png, 010_2HC.png ...\n"
        "test_set.zip -> test_set/000_HC.png ...  (no annotation)",
        quirks=(
            "annotations are outlines, in values 255 and 1: filled, or fitted by an ellipse where they "
            "are cut",
            "several images of one exam share the number in front; train 000 and test 000 are unrelated",
            "551 women have 1,141 exam numbers: exams of one woman cannot be told",
        ),
        facts={
            "mode": "2D diagnostic planes",
            "device": "Voluson E8 and 730",
            "machines": "several",
            "centres": "one",
            "geography": "Netherlands",
            "years": "2014-2015",
            "patients": "551 women",
            "metadata": "pixel size, head circumference",
            "split_sizes": "999/335",
            "annotation": "one trained sonographer",
            "challenge": "HC18",
        },
    ),
    categories=(Category("fetal_head", "fetal biometry"),),
    cases=cases,
    read=read,
    needs=("training_set/*HC.png", "training_set/*_Annotation.png"),
)
