"""Thyroid Ultrasound Cine-clip: nodules in every frame of 192 clips, one HDF5 file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..engine.errors import CaseError
from ..engine.find import glob
from ..engine.masks import binary, fill
from ..engine.recipes import NO_LABEL
from ..engine.types import Card, Case, Category, Dataset, Frame, Skip

PARTS = ("image", "mask", "annot_id", "frame_num")
SEVERAL = "mask of several values, all taken for nodule"
CHUNK = 32


def word(value: bytes | str | int) -> str:
    """Ids are bytes with an underscore behind."""
    text = value.decode() if isinstance(value, bytes) else str(value)
    return text.strip().rstrip("_")


def cases(root: Path) -> Iterator[Case | CaseError]:
    """One case a clip: the runs of its id, in chunks of the file."""
    import h5py

    path = glob(root, "dataset.hdf5")[0]
    try:
        with h5py.File(path, "r") as file:
            missing = [name for name in PARTS if name not in file]
            if missing:
                yield CaseError(path, f"no data set {', '.join(missing)}")
                return
            ids = [word(value) for value in file["annot_id"][()]]
            numbers = [word(value) for value in file["frame_num"][()]]
    except OSError as error:
        yield CaseError(path, f"unreadable: {error}")
        return
    starts = [i for i in range(len(ids)) if i == 0 or ids[i] != ids[i - 1]]
    runs: dict[str, list[tuple[int, int]]] = {}
    for start, stop in zip(starts, [*starts[1:], len(ids)], strict=True):
        runs.setdefault(ids[start], []).append((start, stop))
    for clip, spans in runs.items():
        frames = [[numbers[i] for i in range(*span)] for span in spans]
        yield Case(clip, {"image": path}, subject=clip, data={"spans": spans, "frames": frames})


def read(case: Case) -> Iterator[Frame | Skip]:
    """Masks may be outlines: filled."""
    import h5py

    with h5py.File(case.files["image"], "r") as file:
        for (start, stop), numbers in zip(case.data["spans"], case.data["frames"], strict=True):
            for low in range(start, stop, CHUNK):
                rows = slice(low, min(low + CHUNK, stop))
                pictures, masks = file["image"][rows], file["mask"][rows]
                for offset, (picture, mask) in enumerate(zip(pictures, masks, strict=True)):
                    objects = binary(fill(mask > 0), "thyroid_nodule", threshold=1)
                    if not objects:
                        yield Skip(NO_LABEL)
                        continue
                    extra = {"clip_frame": numbers[low + offset - start]}
                    notes = [SEVERAL] if len(np.unique(mask[mask > 0])) > 1 else []
                    yield Frame(np.asarray(picture, np.uint8), objects, low + offset, notes, extra)


DATASET = Dataset(
    name="thyroid_us_cineclip",
    card=Card(
        title="Stanford AIMI Thyroid Ultrasound Cine-clip",
        link="https://stanfordaimi.azurewebsites.net/datasets/a72f2b02-7b53-4c5d-963c-d7253220bfd5",
        license="Stanford University dataset research use agreement",
        access="agreement",
        anatomy="thyroid nodule",
        application="thyroid",
        organ="thyroid",
        images=17412,
        masks=17412,
        subjects=167,
        tree="thyroidultrasoundcineclip/\n  dataset.hdf5  (image, mask, annot_id, frame_num)\n  metadata.csv",
        quirks=(
            "frames of a clip are near duplicates: a clip stays on one side",
            "192 nodules of 167 patients, no patient column: a few patients may have clips on both sides",
            "masks may be drawn as outlines: holes are filled",
        ),
        guesses=("any non-zero mask pixel is nodule: masks of several values are noted",),
        differs=("called thyroid_nodule", "split by clip; the frame number is kept"),
        facts={
            "mode": "2D+t",
            "geography": "USA",
            "years": "2017-2018",
            "centres": "one",
            "patients": "167",
            "metadata": "TI-RADS, age, sex, size, histopathology",
            "sample": "clip",
            "annotation": "radiologists",
        },
    ),
    categories=(Category("thyroid_nodule", "nodule"),),
    cases=cases,
    read=read,
    needs=("dataset.hdf5",),
)
