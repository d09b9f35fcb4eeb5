"""The images that results refer to: their headers, from which patient and study are taken over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydicom
from pydicom.config import IGNORE
from pydicom.dataset import Dataset
from pydicom.uid import UID

from ultrasam.errors import DataError

#: What patient, study and reference need not hold (type 2) but must have.
_MAY_BE_EMPTY = (
    *("PatientID", "PatientName", "PatientBirthDate", "PatientSex"),
    *("StudyDate", "StudyTime", "StudyID", "AccessionNumber", "ReferringPhysicianName"),
)
_UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID")
#: Results are written in UTF-8: it holds what any source may hold.
CHARACTER_SET = "ISO_IR 192"


@dataclass(frozen=True)
class SourceImages:
    """The images of one clip or still.

    Attributes:
        headers: without pixels: of the one file, or of each file where every frame has its own.
        frames: how many frames there are.
    """

    headers: Sequence[Dataset]
    frames: int

    @classmethod
    def read(cls, *paths: str | Path) -> SourceImages:
        """Of one DICOM file, or of several with one frame each, in order.

        Nothing is written into them.

        Raises:
            DataError: one is no DICOM, or lacks what a result has to refer to.
        """
        headers = [_header(Path(path)) for path in paths]
        if len(headers) > 1:
            return cls(headers, len(headers))
        return cls(headers, int(headers[0].get("NumberOfFrames") or 1))

    @property
    def first(self) -> Dataset:
        """The first header; patient and study are those of all."""
        return self.headers[0]

    @property
    def still(self) -> bool:
        """Whether there is but one image, which is no part of a clip."""
        return self.frames == 1 and "NumberOfFrames" not in self.first

    def header_of(self, frame: int) -> Dataset:
        """The header of the file that holds a frame, from 0.

        Raises:
            DataError: there is no such frame.
        """
        if not 0 <= frame < self.frames:
            raise DataError(f"frame {frame} is none of the {self.frames} frames of the source")
        return self.headers[frame if len(self.headers) > 1 else 0]

    def number_of(self, frame: int) -> int | None:
        """How DICOM refers to a frame of its file, from 1; None where the file is one image."""
        return frame + 1 if "NumberOfFrames" in self.header_of(frame) else None


def is_uid(value: object) -> bool:
    """Whether a value is one by the rules: digits and dots, 64 characters at most."""
    return UID(str(value), IGNORE).is_valid


def _header(path: Path) -> Dataset:
    try:
        header = pydicom.dcmread(path, stop_before_pixels=True, force=True)
        header.remove_private_tags()
        missing = [name for name in (*_UIDS, "Rows", "Columns") if not header.get(name)]
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
    # pydicom lets out whatever goes wrong while it parses damaged bytes.
    except Exception as error:
        raise DataError(f"{path} is not a readable DICOM file: {error}") from error
    if len(missing) > 4:
        raise DataError(f"{path} is no DICOM image: DICOM results can refer to DICOM images alone")
    wrong = missing or [name for name in _UIDS if not is_uid(header[name].value)]
    if wrong:
        raise DataError(f"{path} has no valid {', '.join(wrong)}: a DICOM result has nothing to refer to")
    return _completed(path, header)


def _completed(path: Path, header: Dataset) -> Dataset:
    for name in _MAY_BE_EMPTY:
        if name not in header:
            setattr(header, name, "")
        _check_value(path, header, name)
    header.SpecificCharacterSet = CHARACTER_SET
    if header.get("NumberOfFrames") == 1 and "Multi-frame" not in UID(header.SOPClassUID, IGNORE).name:
        # Scanners state it of stills too, whose class has no frames that a result could refer to.
        del header.NumberOfFrames
    return header


def _check_value(path: Path, header: Dataset, name: str) -> None:
    """Refuse what a copy would carry on against the standard."""
    try:
        text = str(_value(header, name))
    except Exception as error:  # pydicom's errors have no base of their own
        raise DataError(f"{path}: {name} is damaged: {error}") from error
    if name == "PatientSex" and text not in ("", "M", "F", "O"):
        raise DataError(f"{path}: {name} is {text!r}, DICOM knows M, F and O")


def _value(header: Dataset, name: str) -> Any:
    from pydicom.valuerep import DA, TM

    value = header[name].value
    kinds = {"DA": DA, "TM": TM}
    kind = kinds.get(header[name].VR)
    return kind(value) if kind and value else value
