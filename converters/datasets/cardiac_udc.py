"""CardiacUDC: four chambers in apical videos of several sites, few frames of which are labeled."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..engine.errors import CaseError
from ..engine.find import glob, match
from ..engine.masks import fill
from ..engine.recipes import NO_LABEL
from ..engine.types import Array, Card, Case, Category, Dataset, Frame, Object, Skip
from ..engine.volumes import labels, to_uint8, volume

NAMES = {1: "left_ventricle", 2: "left_atrium", 3: "right_atrium", 4: "right_ventricle"}
MIN_FOREGROUND = 0.025


def key(path: Path) -> str | None:
    """Site folder and patient; the same number in another site is another person."""
    name = path.name.removesuffix(".gz").removesuffix(".nii")
    for word in ("_image", "_label"):
        if name.endswith(word):
            return f"{path.parent.name}/{name.removesuffix(word)}"
    return None


def cases(root: Path) -> Iterator[Case | Skip | CaseError]:
    """Labeled videos; one site has images only."""
    folders = "{Site_*,label_all_frame}"
    masks = glob(root, f"{folders}/*_label.nii.gz")
    known = {key(path) for path in masks}
    images = glob(root, f"{folders}/*_image.nii.gz")
    for found in match([path for path in images if key(path) in known], masks, key, key):
        if isinstance(found, CaseError):
            yield found
        else:
            name = key(found[0]) or ""
            yield Case(name, {"image": found[0], "mask": found[1]}, subject=name, label=found[0].parent.name)
    bare = sum(key(path) not in known for path in images)
    if bare:
        yield Skip("video without labels", bare)


def read(case: Case) -> Iterator[Frame | Skip]:
    """Turn by 180 degrees, fill contours from large to small, drop slips of the pen."""
    pictures, notes = to_uint8(volume(case.files["image"]))
    values = labels(case.files["mask"], pictures.shape)
    everywhere = case.label == "label_all_frame"
    allowed = {0, *NAMES} | ({5, 6} if everywhere else set())
    unknown = sorted(set(np.unique(values).tolist()) - allowed)
    if unknown:
        raise ValueError(f"unknown label values {unknown}, expected {sorted(allowed)}")
    remarks = [f"label {v} {what}" for v, what in ((5, "dropped"), (6, "taken as 4")) if (values == v).any()]
    values = np.flip(np.where(values == 6, 4, np.where(values == 5, 0, values)), (1, 2))
    for index in range(len(values)):
        if not values[index].any():
            yield Skip(NO_LABEL)
            continue
        objects, lines = chambers(values[index])
        if sum(int(item.mask.sum()) for item in objects) < MIN_FOREGROUND * values[index].size:
            yield Skip("frame with less than 2.5 % foreground")
            continue
        found = [*notes, *remarks, *["open contour dropped"] * lines]
        yield Frame(np.ascontiguousarray(np.flip(pictures[index])), objects, index=index, notes=found)


def chambers(values: Array) -> tuple[list[Object], int]:
    """Filled labels, the larger first so that it never covers a smaller; and how many were mere lines."""
    filled = {name: fill(values == value) for value, name in NAMES.items() if (values == value).any()}
    painted = np.zeros(values.shape, np.int64)
    order = sorted(filled, key=lambda name: -int(filled[name].sum()))
    for number, name in enumerate(order, 1):
        painted[filled[name]] = number
    objects, lines = [], 0
    for number, name in enumerate(order, 1):
        mask = painted == number
        if thin(mask):
            lines += 1
        elif mask.any():
            objects.append(Object(name, mask))
    rank = list(NAMES.values())
    return sorted(objects, key=lambda item: rank.index(item.category)), lines


def thin(mask: Array) -> bool:
    """Nothing is left when a border of two pixels is taken away: a line, not a region."""
    from scipy import ndimage

    return bool(mask.any()) and not ndimage.binary_erosion(mask, iterations=2, border_value=1).any()


DATASET = Dataset(
    name="cardiac_udc",
    card=Card(
        title="CardiacUDC (CardiacUDA)",
        link="https://www.kaggle.com/datasets/xiaoweixumedicalai/cardiacudc-dataset",
        citation="Yang et al., GraphEcho, ICCV 2023",
        license="Apache-2.0 (according to a re-host)",
        access="registration",
        anatomy="heart",
        application="cardiac",
        organ="heart",
        tree="cardiacUDC_dataset.z01 ... .z06, cardiacUDC_dataset.change2zip  (taken as they are)\n"
        "  Site_G_20/patient1-4_image.nii.gz, patient1-4_label.nii.gz ...\n  label_all_frame/...",
        quirks=(
            "frames are stored turned by 180 degrees",
            "the same patient number in another site is another person; Site_R_73 has no labels",
            "some masks are contours only: filled, the larger chamber first; open contours are dropped",
            "frames with less than 2.5 % foreground are slips and left out",
            "about seven videos of label_all_frame repeat a site video: run the audit",
            "patient text is burned into the top rows of many frames",
        ),
        guesses=("in label_all_frame 6 is the right ventricle and 5 nothing; elsewhere both are refused",),
        facts={"mode": "2D+t", "centres": "several", "machines": "several", "sample": "video"},
    ),
    categories=tuple(Category(name, "heart") for name in NAMES.values()),
    cases=cases,
    read=read,
    needs=("{Site_*,label_all_frame}/*_image.nii.gz", "{Site_*,label_all_frame}/*_label.nii.gz"),
)
