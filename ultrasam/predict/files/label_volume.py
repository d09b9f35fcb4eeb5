"""The masks of a volume's slices as a volume of labels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ultrasam.errors import DataError
from ultrasam.predict.files import volume
from ultrasam.predict.files.file_records import numbered
from ultrasam.predict.files.sources import Source


class LabelVolume:
    """A `Product` of ``ultrasam predict``: ``volumes/NAME.nii.gz`` (.nrrd, .mha) of each input volume.

    It has the input's geometry. An object's value is its number; where they overlap, the later one counts.

    Args:
        out: the run's folder, with the masks.
        axis: x, y or z, as the slices were counted.
    """

    def __init__(self, out: Path, axis: str) -> None:
        self._out, self._axis = out, axis
        self.made: list[str] = []

    def make(self, source: Source, name: str, records: Sequence[dict[str, Any]]) -> None:
        """Write the labels of a volume; other files make none.

        Raises:
            DataError: a mask can't be read, or there are more objects than labels.
            OutputError: it can't be written.
        """
        end = None if source.series else volume.ending(source.path)
        if end is None:
            return
        opened = volume.open_volume(source.path, self._axis)
        most = max((label for record in records for label, _ in numbered(record)), default=0)
        if most > np.iinfo(np.uint16).max:
            raise DataError(f"{most} objects in a slice are more than labels can tell apart")
        kind = np.uint8 if most <= np.iinfo(np.uint8).max else np.uint16
        slices = {r["image"].get("frame", 0): self._labels(r, kind) for r in records}
        made = f"volumes/{name}{volume.LABEL_ENDINGS.get(end, end)}"
        opened.write_labels(self._out / made, slices)
        self.made.append(made)

    def _labels(self, record: dict[str, Any], kind: type) -> np.ndarray:
        labels = np.zeros((record["image"]["height"], record["image"]["width"]), kind)
        for label, entry in numbered(record):
            mask = cv2.imread(str(self._out / entry["mask"]), cv2.IMREAD_GRAYSCALE)
            if mask is None:
                raise DataError(f"cannot read the mask {self._out / entry['mask']}")
            labels[mask > 0] = label
        return labels
