"""AbdomenUS: several abdominal organs in a color mask; the real images only."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..engine.errors import CaseError
from ..engine.find import glob, match
from ..engine.masks import colors, fit
from ..engine.read import image
from ..engine.types import Card, Case, Category, Dataset, Frame, Skip

COLORS: dict[tuple[int, int, int], str | None] = {
    (100, 0, 100): "liver",
    (255, 255, 0): "kidney",
    (0, 0, 255): "pancreas",
    (255, 0, 0): "vessels",
    (0, 255, 255): "adrenals",
    (0, 255, 0): "gallbladder",
    (255, 255, 255): "bones",
    (255, 0, 255): "spleen",
    (0, 0, 0): None,
    (10, 10, 10): None,
    (10, 0, 10): None,
}


def cases(root: Path) -> Iterator[Case | Skip | CaseError]:
    """The annotated part of the real images (RUS); most of them have no mask."""
    masks = glob(root, "RUS/annotations/test/*.png")
    known = {path.stem for path in masks}
    images = glob(root, "RUS/images/test/*.{png,jpg}")
    for found in match([p for p in images if p.stem in known], masks):
        if isinstance(found, CaseError):
            yield found
        else:
            yield Case(f"RUS/test/{found[0].stem}", {"image": found[0], "mask": found[1]})
    bare = sum(path.stem not in known for path in images) + len(glob(root, "RUS/images/train/*.{png,jpg}"))
    if bare:
        yield Skip("real image without mask", bare)
    simulated = len(glob(root, "AUS/images/*/*.{png,jpg}"))
    if simulated:
        yield Skip("simulated image (AUS)", simulated)


def read(case: Case) -> Iterator[Frame]:
    """Nearest color within 40; RGB order, alpha dropped."""
    picture = image(case.files["image"])
    mask, notes = fit(image(case.files["mask"]), (picture.shape[0], picture.shape[1]))
    objects, strays = colors(mask, COLORS, distance=40, stray=0.02)
    extra = (*notes, "mask with pixels of an unlisted color, taken as background") if strays else notes
    yield Frame(picture, objects, notes=extra)


DATASET = Dataset(
    name="abdomen_us",
    card=Card(
        title="US Simulation and Segmentation (AbdomenUS)",
        link="https://www.kaggle.com/datasets/ignaciorlando/ussimandsegm",
        anatomy="upper abdomen",
        application="abdominal organs",
        organ="abdomen",
        access="registration",
        citation="Vitale, Orlando et al., IJCARS 2019",
        subjects=11,
        masks=60,
        tree="abdominal_US/abdominal_US/\n  AUS/{images,annotations}/{train,test}/  (simulated, left out)\n"
        "  RUS/images/{train,test}/*.jpg\n  RUS/annotations/test/*.png",
        quirks=(
            "only test images of the real part are annotated, so the folders are no split",
            "borders are anti-aliased: each pixel takes the nearest listed color within a distance of 40",
        ),
        guesses=("more than 2 % of pixels with an unlisted color means another color table: refused",),
        differs=(
            "colors are read as RGB; the published conversion swaps kidney with adrenals, pancreas "
            "with vessels",
        ),
        facts={
            "mode": "2D diagnostic planes",
            "device": "SonoSite M-Turbo",
            "machines": "one",
            "patients": "11 healthy volunteers",
        },
    ),
    categories=tuple(Category(name, "abdominal organ") for name in COLORS.values() if name),
    cases=cases,
    read=read,
    needs=("RUS/images/test/*.{png,jpg}", "RUS/annotations/test/*.png"),
)
