"""Fast-U-Net: fetal abdomen and head with filled masks, in RAR archives."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from ..engine.errors import CaseError
from ..engine.find import glob, match, stem
from ..engine.read import lines
from ..engine.recipes import binary_still
from ..engine.types import Card, Case, Category, Dataset, Twin


def is_mask(path: Path, root: Path) -> bool:
    """Below a folder whose name holds `mask`."""
    return any("mask" in part.lower() for part in path.relative_to(root).parts[:-1])


def cases(root: Path) -> Iterator[Case | CaseError]:
    """Abdomen (AC) and head (HC), images of all archives together."""
    for plane in ("AC", "HC"):
        top = sorted({p for p in (root, *root.rglob("*")) if p.is_dir() and p.name == plane})[:1]
        if not top:
            continue
        files = glob(top[0], "**/*.png")
        masks = [path for path in files if is_mask(path, top[0])]
        images = [path for path in files if not is_mask(path, top[0])]
        listed = {name: side for side in ("train", "val") for name in official(top[0] / f"{side}.txt")}
        for found in match(images, masks, stem, lambda path: path.stem.removesuffix("_Annotation")):
            if isinstance(found, CaseError):
                yield found
                continue
            name = found[0].stem
            head = re.match(r"(\d+)_\d*HC", name)
            yield Case(
                f"{plane}/{name}",
                {"image": found[0], "mask": found[1]},
                subject=f"HC {head[1]}" if head else None,
                split=None if head else listed.get(name),
                label=plane,
            )
    for found in match(glob(root, "**/test_data/image/*.jpg"), glob(root, "**/test_data/mask/*.jpg")):
        if isinstance(found, CaseError):
            yield found
        else:
            pair = {"image": found[0], "mask": found[1]}
            yield Case(f"test_data/{found[0].stem}", pair, split="test", label="HC")


def official(path: Path) -> list[str]:
    """Stems of a list; its folder names do not exist."""
    return [Path(line.split()[0]).stem for line in lines(path)] if path.is_file() else []


DATASET = Dataset(
    name="fast_u_net",
    card=Card(
        title="Fast-U-Net: abdominal and head circumference",
        link="https://github.com/vahidashkani/Fast-U-Net",
        anatomy="fetal abdomen and head",
        application="fetal biometry",
        organ="fetus",
        images=1411,
        masks=1411,
        tree="Fast-U-Net/Dataset/\n  AC/AC_image1.rar AC_image2.rar AC_mask.rar train.txt val.txt\n"
        "  HC/HC_image1.rar HC_image2.rar HC_image3.rar HC_mask.rar train.txt val.txt",
        quirks=(
            "the head part is the HC18 training set, resized: the merge counts it once",
            "the official lists of heads have 56 exams on both sides: heads are split by exam instead",
            "numeric masks have anti-aliased edges, fa_ masks are 1 bit: foreground is 128 and up",
            "the demo pairs of test_data have JPEG masks and are the test part",
        ),
        guesses=("the folder in HC_mask.rar has `mask` in its name, as in AC_mask.rar",),
        unchecked=("the demo pairs are heads",),
        differs=("abdomen and head are two categories", "edges are cut at 128, not at 255"),
        same_as=Twin("hc18", subjects="HC ", what="head image"),
        facts={"mode": "2D diagnostic planes", "split_sizes": "1,130/281", "sample": "image"},
    ),
    categories=(Category("fetal_abdomen", "fetal biometry"), Category("fetal_head", "fetal biometry")),
    cases=cases,
    read=binary_still({"AC": "fetal_abdomen", "HC": "fetal_head"}),
    needs=("**/{AC,HC}/**/*.png",),
)
