"""AUL: liver and liver masses as one polygon each in JSON lists."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..engine.errors import CaseError
from ..engine.find import glob, natural
from ..engine.masks import largest, polygon
from ..engine.read import image, json_file
from ..engine.types import Card, Case, Category, Dataset, Frame, Object, Skip

#: Their outline file traces the liver and they have no liver file.
LIVER_IN_OUTLINE = ("Malignant/229", "Malignant/306")


def cases(root: Path) -> Iterator[Case | Skip | CaseError]:
    """Numbers restart in each class folder, so class and number are the key."""
    for folder in ("Benign", "Malignant", "Normal"):
        polygons = {
            name: glob(root, f"**/{folder}/segmentation/{name}/*.json")
            for name in ("liver", "mass", "outline")
        }
        by_stem = {name: {path.stem: path for path in paths} for name, paths in polygons.items()}
        images = {path.stem: path for path in glob(root, f"**/{folder}/image/*.{{jpg,png}}")}
        for stem in sorted(images, key=lambda s: natural(Path(s))):
            key = f"{folder}/{stem}"
            files = {name: by_stem[name][stem] for name in ("liver", "mass") if stem in by_stem[name]}
            if "liver" not in files and key in LIVER_IN_OUTLINE and stem in by_stem["outline"]:
                files["liver"] = by_stem["outline"][stem]
            if files:
                yield Case(key, {"image": images[stem], **files}, subject=key, label=folder)
            else:
                yield CaseError(images[stem], "image without liver or mass polygon")
        for name in ("liver", "mass"):
            orphans = [path for stem, path in by_stem[name].items() if stem not in images]
            yield from (CaseError(path, "polygon without image") for path in orphans)


def read(case: Case) -> Iterator[Frame]:
    """Liver and mass overlap: two whole polygons; a crossing ring keeps its largest part."""
    picture = image(case.files["image"])
    objects = []
    for name in ("liver", "mass"):
        if name in case.files:
            try:
                mask = largest(polygon(json_file(case.files[name]), (picture.shape[0], picture.shape[1])))
            except (TypeError, ValueError) as error:
                raise CaseError(case.files[name], str(error)) from error
            objects.append(Object(name, mask))
    yield Frame(picture, objects, extra={"label": case.label})


DATASET = Dataset(
    name="aul",
    card=Card(
        title="Annotated Ultrasound Liver images (AUL)",
        link="https://zenodo.org/records/7272660",
        citation="Xu et al., Briefings in Bioinformatics 2023",
        anatomy="liver",
        application="liver organ and lesion",
        organ="liver",
        images=735,
        masks=1367,
        tree="AUL/ (Benign.zip, Malignant.zip, Normal.zip)\n  {Benign,Malignant,Normal}/image/<n>.jpg\n"
        "  .../segmentation/{liver,mass,outline}/<n>.json",
        quirks=(
            "the mass lies inside the liver: both are whole",
            "outline is the field of view and no structure, except Malignant 229 and 306 where it "
            "traces the liver",
            "Malignant 374 has no liver polygon",
        ),
        differs=("no category outline",),
        facts={
            "mode": "2D diagnostic planes",
            "patients": "200 benign, 435 malignant, 100 normal",
            "sample": "one image a patient",
        },
    ),
    categories=(Category("liver", "liver"), Category("mass", "liver lesion")),
    cases=cases,
    read=read,
    needs=("**/{Benign,Malignant,Normal}/image/*.{jpg,png}", "**/segmentation/liver/*.json"),
)
