"""What one SEG and one SR are made of, and what both share: identifiers, numbers, the file."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from pydicom import dcmread, dcmwrite
from pydicom.dataset import Dataset

import ultrasam
from ultrasam.data.files import write_bytes
from ultrasam.errors import DataError
from ultrasam.pacs.findings import Finding
from ultrasam.pacs.maker import LONG_STRING, Maker
from ultrasam.pacs.source_images import SourceImages

#: Modality -> what is added to the source's series number.
_SERIES = {"SEG": 1000, "SR": 2000}
#: When an object was made.
_MADE_AT = ("InstanceCreationDate", "InstanceCreationTime", "ContentDate", "ContentTime")


class Result:
    """What was found on the images of one file.

    The same result has the same UIDs whenever it is written: storing it again doubles nothing. The results of
    one series form one series.

    Args:
        images: what was segmented.
        findings: all objects in all frames; objects are numbered from 1, without gaps.
        maker: who segmented.

    Raises:
        DataError: there is no object, or an object has two masks in a frame.
    """

    def __init__(self, images: SourceImages, findings: Sequence[Finding], maker: Maker | None = None) -> None:
        self.images, self.maker = images, maker or Maker()
        self.findings = sorted(findings, key=lambda f: (f.object, f.frame))
        self.names = {f.object: f.name for f in self.findings}
        if not findings:
            raise DataError("no object was segmented: there is nothing to write as DICOM")
        if list(self.names) != list(range(1, len(self.names) + 1)):
            raise DataError(f"objects are numbered from 1, without gaps, not {list(self.names)[:9]}")
        for one, after in zip(self.findings, self.findings[1:], strict=False):
            if (one.object, one.frame) == (after.object, after.frame):
                raise DataError(f"object {one.object} has two masks in frame {one.frame}")

    def mask(self, finding: Finding) -> np.ndarray:
        """A finding's mask (H, W) bool.

        Raises:
            DataError: it is not of the source's size.
        """
        header, mask = self.images.header_of(finding.frame), finding.read()
        if mask.shape != (header.Rows, header.Columns):
            raise DataError(
                f"the mask of object {finding.object} in frame {finding.frame} has {mask.shape[1]} x "
                f"{mask.shape[0]} pixels, its image {header.Columns} x {header.Rows}"
            )
        return mask.astype(bool)

    def label(self, number: int) -> str:
        """What people read of an object."""
        return f"{number} {self.names[number]}"[:LONG_STRING]

    def tracking_uid(self, number: int) -> str:
        """By which an object is known in both the segmentation and the report."""
        return self.maker.uid("object", self.images.first.SOPInstanceUID, self._digest, number)

    def identity(self, modality: str) -> dict[str, Any]:
        """UIDs and numbers of an object of DICOM's, as highdicom names them."""
        source = self.images.first
        return {
            "series_instance_uid": self.maker.uid(modality, source.SeriesInstanceUID),
            "series_number": _SERIES[modality] + int(source.get("SeriesNumber") or 0),
            # Another version writes another object.
            "sop_instance_uid": self.maker.uid(
                modality, source.SOPInstanceUID, self._digest, ultrasam.__version__
            ),
            "instance_number": max(1, int(source.get("InstanceNumber") or 1)),
        }

    @cached_property
    def _digest(self) -> str:
        digest = hashlib.blake2b(digest_size=16)
        for f in self.findings:
            told = [f.object, f.frame, f.name, f.score, f.quality, sorted(f.sizes.items())]
            digest.update(repr(told).encode())
            digest.update(np.packbits(self.mask(f)).tobytes())
        return digest.hexdigest()


def write(made: Dataset, path: str | Path) -> None:
    """Write a data set as a DICOM file, whole or not at all.

    Where it is there already, it keeps the time at which it was made: one UID is one object, to the byte.

    Raises:
        OutputError: it can't be written.
    """
    for name, value in _made_at(Path(path), made.SOPInstanceUID).items():
        setattr(made, name, value)
    # Beside it, highdicom notes when it was asked, as the last one that had a part in it.
    for item in made.get("ContributingEquipmentSequence", ())[-1:]:
        item.ContributionDateTime = f"{made.ContentDate}{made.ContentTime}"
    buffer = io.BytesIO()
    dcmwrite(buffer, made, enforce_file_format=True)
    write_bytes(path, buffer.getvalue())


def _made_at(path: Path, uid: str) -> dict[str, str]:
    """When the object of a UID was made, if a file holds it."""
    try:
        former = dcmread(path, specific_tags=["SOPInstanceUID", *_MADE_AT])
        found = {name: str(former[name].value) for name in _MADE_AT if name in former}
        return found if former.get("SOPInstanceUID") == uid else {}
    except Exception:  # there is none, or another; pydicom's errors have no base of their own
        return {}
