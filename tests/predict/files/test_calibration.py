"""One rule for the size of a pixel, whoever states it."""

import pydicom
import pytest

from tests.kit.fuzz_files import region
from ultrasam.predict.files.calibration import Calibration, of_dataset

LEFT = {"RegionLocationMaxX1": 49}
RIGHT = {
    "RegionLocationMinX0": 50,
    "RegionLocationMaxX1": 99,
    "PhysicalDeltaX": 0.01,
    "PhysicalDeltaY": -0.01,
}
M_MODE = {**RIGHT, "RegionSpatialFormat": 2, "PhysicalUnitsXDirection": 4}
DOPPLER = {**RIGHT, "RegionSpatialFormat": 3, "PhysicalUnitsXDirection": 4, "PhysicalUnitsYDirection": 7}
NONE = "none"


def of(*regions, spacing=None, stated=None):
    dataset = pydicom.Dataset()
    if regions:
        dataset.SequenceOfUltrasoundRegions = [region(**values) for values in regions]
    if spacing:
        dataset.PixelSpacing = spacing
    return of_dataset(dataset).or_else(stated)


@pytest.mark.parametrize(
    ("calibration", "box", "spacing", "source"),
    [
        (of(LEFT, RIGHT), (5, 5, 40, 40), (0.2, 0.3), "ultrasound region 0"),
        (of(LEFT, RIGHT), (60, 5, 90, 40), (0.1, 0.1), "ultrasound region 1"),
        (of(LEFT, RIGHT), (40, 5, 60, 40), None, "none: not within one ultrasound region"),
        # What the file says of its regions counts, whatever else is stated.
        (
            of(LEFT, RIGHT, spacing=[1, 1], stated=(9, 9)),
            (40, 5, 60, 40),
            None,
            "none: not within one ultrasound region",
        ),
        (of(LEFT, M_MODE), (60, 5, 90, 40), None, "none: M-mode, Doppler or a graph"),
        (of(LEFT, DOPPLER, spacing=[1, 2]), (60, 5, 90, 40), None, "none: M-mode, Doppler or a graph"),
        (of(DOPPLER, stated=(0.5, 0.5)), (40, 5, 60, 40), None, "none: M-mode, Doppler or a graph"),
        (of(DOPPLER, stated=(0.5, 0.5)), (5, 5, 40, 40), (0.5, 0.5), "--spacing"),
        # A trace drawn into the image.
        (of({"RegionLocationMaxX1": 99}, M_MODE), (45, 5, 60, 40), None, "none: M-mode, Doppler or a graph"),
        (of({**LEFT, "PhysicalDeltaX": 0.0}, spacing=[0.3, 0.2]), (5, 5, 9, 9), (0.2, 0.3), "PixelSpacing"),
        (of({**LEFT, "PhysicalDeltaX": None}, stated=(1, 2)), (5, 5, 9, 9), (1, 2), "--spacing"),
        (of(spacing=[0.3, 0.2], stated=(1, 2)), (5, 5, 9, 9), (0.2, 0.3), "PixelSpacing"),
        (of(spacing=[0.0, 0.2], stated=(1, 2)), (5, 5, 9, 9), (1, 2), "--spacing"),
        (of(), (5, 5, 9, 9), None, NONE),
    ],
)
def test_the_rule(calibration, box, spacing, source):
    assert calibration.at(box) == (pytest.approx(spacing) if spacing else None, source)
    told = calibration.told((box[0], box[1], box[2] - box[0], box[3] - box[1]))
    assert told["spacing_source"] == source and ("spacing" in told) == (spacing is not None)


def test_what_counts_as_known():
    assert not Calibration().known and of(M_MODE).known and of(spacing=[1, 1]).known
