"""Three sources as scanners write them, and what was found on them: blobs with parts, holes and nothing."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("highdicom", reason="highdicom (extra 'dicom') is not installed")

from tests.kit.scans import SPACING, write_scan
from ultrasam import pacs
from ultrasam.predict.measure import measure

#: Their product is no multiple of 8, so frames of single bits begin within bytes; all frames together fill
#: theirs, since SimpleITK (GDCM) does not read bits of a last byte that is not full.
SIZE = (46, 67)
NAMES = ("thyroid_nodule", "left ventricle", "gizmo ä", "needle")


@dataclass
class Case:
    """A source and its results; masks (frames, objects, H, W) bool."""

    path: Path
    scan: object
    masks: np.ndarray
    result: pacs.Result
    seg: Path
    sr: Path


def blobs(frames: int) -> np.ndarray:
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    masks = np.zeros((frames, len(NAMES), *SIZE), dtype=bool)
    for f in range(frames):
        round_ = (x - 20 - f) ** 2 + (y - 20) ** 2
        masks[f, 0] = round_ < 100
        # A hole, and a part of its own.
        masks[f, 1] = (round_ < 150) & (round_ > 20) | (x > 60) & (y > 40 - f)
        masks[f, 2] = (abs(x - 40) < 5 + f) & (abs(y - 30) < 4)
        masks[f, 3] = abs(x - y) < 2 + f
    if frames > 1:
        masks[1, 2] = False
    return masks


def found(masks: np.ndarray) -> list[pacs.Finding]:
    """Findings of masks (frames, objects, H, W), frame by frame."""
    return [
        pacs.Finding(
            f, o + 1, NAMES[o], partial(np.copy, mask), 0.9 - o / 8, measure(mask, SPACING).as_dict()
        )
        for f, objects in enumerate(masks)
        for o, mask in enumerate(objects)
    ]


@pytest.fixture(scope="module", params=["still", "rgb", "jpeg"])
def case(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    path = folder / "scan.dcm"
    rng = np.random.default_rng(0)
    shape = SIZE if request.param == "still" else (3, *SIZE, 3)
    scan = write_scan(path, rng.integers(0, 256, shape, dtype=np.uint8), jpeg=request.param == "jpeg")
    before = path.read_bytes()
    masks = blobs(1 if request.param == "still" else 3)
    result = pacs.Result(
        pacs.SourceImages.read(path), found(masks), pacs.Maker("tiny", settings={"refine": 2})
    )
    seg, sr = folder / "scan.seg.dcm", folder / "scan.sr.dcm"
    pacs.write_segmentation(result, seg)
    assert pacs.write_report(result, sr) == (0 if request.param == "still" else 1)
    assert path.read_bytes() == before
    return Case(path, scan, masks, result, seg, sr)
