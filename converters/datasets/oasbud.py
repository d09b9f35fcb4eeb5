"""OASBUD: breast lesions as raw radio-frequency lines; B-mode images are made of them here."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..engine.errors import CaseError
from ..engine.find import glob
from ..engine.masks import binary
from ..engine.read import variables
from ..engine.types import Array, Card, Case, Category, Dataset, Frame

FIELDS = ("id", "rf1", "rf2", "roi1", "roi2", "birads", "class")
LABELS = {0: "benign", 1: "malignant"}
#: Samples of a line to a pixel: a line is about as wide as four samples at 40 MHz are deep.
DEPTH = 4
DECIBELS = 60.0


@lru_cache(maxsize=1)
def lesions(path: Path) -> Array:
    """The lesions of the file, a structure each; kept, as all cases of a process read the one file."""
    data = variables(path).get("data")
    if data is None or data.dtype.names is None:
        raise CaseError(path, "no list of structures called `data`")
    missing = [name for name in FIELDS if name not in data.dtype.names]
    if missing:
        raise CaseError(path, f"no field {', '.join(missing)} (found: {', '.join(data.dtype.names)})")
    return data.ravel()


def cases(root: Path) -> Iterator[Case | CaseError]:
    """Two planes of each lesion."""
    path = glob(root, "OASBUD.mat")[0]
    for row, lesion in enumerate(lesions(path)):
        name = "".join(str(v) for v in np.ravel(lesion["id"])).strip()
        kind = int(np.ravel(lesion["class"])[0])
        label = LABELS.get(kind)
        if label is None:
            yield CaseError(path, f"lesion {name}: class {kind}, expected 0 or 1")
            continue
        for plane in (1, 2):
            yield Case(f"{name}/{plane}", {"mat": path}, subject=name, label=label, data=(row, plane))


def b_mode(lines: Array) -> NDArray[np.uint8]:
    """The envelope of radio-frequency lines (depth, line), 60 dB below its maximum black."""
    from scipy.signal import hilbert

    envelope = np.abs(hilbert(np.asarray(lines, np.float64), axis=0))
    rows = len(envelope) // DEPTH
    envelope = envelope[: rows * DEPTH].reshape(rows, DEPTH, -1).mean(axis=1)
    decibels = 20 * np.log10(np.maximum(envelope / max(envelope.max(), 1e-12), 1e-12))
    return np.rint(255 * np.clip(1 + decibels / DECIBELS, 0, 1)).astype(np.uint8)


def read(case: Case) -> Iterator[Frame]:
    """The mask takes part in the same sampling: a pixel belongs to it if half of its samples do."""
    row, plane = case.data
    lesion: Any = lesions(case.files["mat"])[row]
    lines, mask = np.asarray(lesion[f"rf{plane}"]), np.asarray(lesion[f"roi{plane}"]) > 0
    if lines.shape != mask.shape:
        raise ValueError(f"plane {plane}: lines of {lines.shape}, a region of {mask.shape}")
    rows = len(mask) // DEPTH
    share = mask[: rows * DEPTH].reshape(rows, DEPTH, -1).mean(axis=1)
    extra = {"label": case.label, "plane": plane, "birads": str(np.ravel(lesion["birads"])[0])}
    yield Frame(b_mode(lines), binary(share >= 0.5, "breast_lesion", threshold=1), extra=extra)


DATASET = Dataset(
    name="oasbud",
    card=Card(
        title="OASBUD: open access series of breast ultrasonic data (raw radio-frequency lines)",
        link="https://doi.org/10.5281/zenodo.545928",
        citation="Piotrzkowska-Wroblewska et al., Medical Physics 2017, doi 10.1002/mp.12538",
        license="CC BY-NC 4.0",
        anatomy="breast",
        application="breast lesion",
        organ="breast",
        images=200,
        masks=200,
        subjects=100,
        tree="OASBUD.mat",
        quirks=(
            "the file holds radio-frequency lines: images are their envelope, 60 dB, four samples to a pixel",
            "two planes of each lesion stay on one side of the split",
        ),
        unchecked=("four samples are about as deep as a line is wide",),
        layout="the description and the loader of two public projects",
        facts={
            "mode": "2D diagnostic planes",
            "device": "Ultrasonix SonixTouch, L14-5/38",
            "machines": "one",
            "centres": "one",
            "geography": "Poland",
            "years": "2013-2015",
            "metadata": "BI-RADS, benign or malignant",
            "patients": "52 malignant, 48 benign lesions",
            "sample": "two planes of a lesion",
            "technique": "raw radio-frequency lines",
        },
    ),
    categories=(Category("breast_lesion", "breast lesion"),),
    cases=cases,
    read=read,
    needs=("OASBUD.mat",),
)
