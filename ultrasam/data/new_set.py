"""`ultrasam data new`: a converter, a made-up archive and a test to begin one's own data set with."""

from __future__ import annotations

import keyword
from pathlib import Path

from ultrasam.converters import catalog
from ultrasam.data.files import write_text
from ultrasam.errors import DataError

CONVERTER = '''"""NAME: what it shows, and what is peculiar to its files."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from ultrasam.converters import own
from ultrasam.converters.engine.errors import CaseError
from ultrasam.converters.engine.find import pairs
from ultrasam.converters.engine.recipes import binary_still
from ultrasam.converters.engine.types import Card, Case, Category, Dataset


def patient(key: str, path: Path) -> dict[str, str | None]:
    """Who must stay on one side of a split: here what stands before the underscore."""
    return {"subject": key.split("_")[0]}


def cases(root: Path) -> Iterator[Case | CaseError]:
    """Image and mask of one name; what has no partner is reported."""
    return pairs(root, "images/*.png", "masks/*.png", make=patient)


DATASET = Dataset(
    name="NAME",
    card=Card(
        title="NAME",
        license="",
        anatomy="what it shows",
        application="what for",
        organ="organ",
        link="",
        citation="",
        tree="NAME/\\n  images/p01_a.png ...\\n  masks/p01_a.png ...",
        quirks=("masks hold 0 and 255: foreground is 128 and up",),
    ),
    categories=(Category("lesion", "organ"),),
    cases=cases,
    read=binary_still("lesion"),
    needs=("images/*.png", "masks/*.png"),
)

if __name__ == "__main__":
    sys.exit(own.main(DATASET))
'''

ARCHIVE = '''"""A made-up archive of the same layout, with the real one's traps, and what must come out."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

Objects = dict[str, list[tuple[str, np.ndarray]]]


def make(root: Path) -> tuple[Objects, list[str]]:
    """Write it below `root`.

    Returns:
        The end of an image's path -> its objects (category, mask), and the files that have to be reported.
    """
    lesion = np.zeros((48, 64), bool)
    lesion[10:30, 20:50] = True
    lesion[24:30, 20:30] = False
    top = root / "NAME"
    for folder in ("images", "masks"):
        (top / folder).mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(("p01_a", "p01_b", "p02_a", "p03_a")):
        image = np.random.default_rng(number).integers(30, 220, lesion.shape, np.uint8)
        cv2.imwrite(str(top / f"images/{name}.png"), image)
        if name != "p03_a":
            cv2.imwrite(str(top / f"masks/{name}.png"), np.where(lesion, 255, 0).astype(np.uint8))
    wanted = {f"images/{name}.png": [("lesion", lesion)] for name in ("p01_a", "p01_b", "p02_a")}
    return wanted, ["images/p03_a.png"]
'''

TEST = '''"""What was planted comes out, pixel by pixel, and nothing is left out in silence."""

from __future__ import annotations

from collections import Counter

import pytest
from NAME import DATASET
from NAME_archive import make
from pycocotools.coco import COCO
from ultrasam.converters import ConverterError, check, convert


@pytest.fixture
def converted(tmp_path):
    wanted, reported = make(tmp_path / "raw")
    report = convert(DATASET, tmp_path / "raw", tmp_path / "out")
    return wanted, reported, report, COCO(str(tmp_path / "out/NAME/annotations/all.json"))


def test_what_was_planted_comes_out(converted, tmp_path):
    wanted, _, _, coco = converted
    names = {entry["id"]: entry["name"] for entry in coco.dataset["categories"]}
    found = {image["source"]["file"]: image["id"] for image in coco.dataset["images"]}
    assert set(found) == set(wanted)
    for file, objects in wanted.items():
        masks = [(names[a["category_id"]], coco.annToMask(a)) for a in coco.imgToAnns[found[file]]]
        planted = Counter((name, mask.astype("uint8").tobytes()) for name, mask in objects)
        assert Counter((name, mask.tobytes()) for name, mask in masks) == planted, file
    assert check(coco.dataset, tmp_path / "out/NAME/images") == []


def test_what_is_left_out_is_reported(converted):
    _, reported, report, _ = converted
    assert sorted(failure["file"] for failure in report.failures) == sorted(reported)


def test_a_subject_is_on_one_side(converted):
    sides = {}
    for image in converted[3].dataset["images"]:
        sides.setdefault(image["subject"], set()).add(image["split"])
    assert all(len(its) == 1 for its in sides.values())


def test_a_wrong_tree_is_refused(tmp_path):
    (tmp_path / "else").mkdir()
    with pytest.raises(ConverterError, match="images"):
        convert(DATASET, tmp_path / "else", tmp_path / "out")
'''


def write(name: str, out: Path) -> list[Path]:
    """Write the three files into ``out/<name>``.

    Args:
        name: of the data set: small letters, digits and underscores.
        out: folder that gets the folder.

    Returns:
        The converter, the archive's maker, the test.

    Raises:
        DataError: the name can't be one or is taken, or a file is there already.
    """
    if not name.isidentifier() or name != name.lower() or not name.isascii() or keyword.iskeyword(name):
        raise DataError(f"'{name}' can't name a data set: small letters, digits, underscores; a letter first")
    if name in {entry.name for entry in catalog.entries()}:
        raise DataError(f"'{name}' is a data set of the catalogue; see: ultrasam convert info {name}")
    folder = out / name
    files = {f"{name}.py": CONVERTER, f"{name}_archive.py": ARCHIVE, f"test_{name}.py": TEST}
    there = [folder / file for file in files if (folder / file).exists()]
    if there:
        raise DataError(f"{there[0]} is there already; choose another name or --out")
    for file, text in files.items():
        write_text(folder / file, text.replace("NAME", name))
    return [folder / file for file in files]
