"""DICOM files without their patients: blanked outside the scan sector, headers by the basic profile."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ultrasam.data import files
from ultrasam.errors import DataError, OutputError, UltraSamError
from ultrasam.predict.files import dicom, dicom_header
from ultrasam.predict.files.sources import Source
from ultrasam.privacy import attributes
from ultrasam.privacy.sector import Sector, find_sector

#: So many frames, evenly spread, show where echoes are drawn.
_LOOKED_AT = 32
#: Gray value from which a pixel that never gets darker in a clip is ink, and how many of them may be.
_INK, _SPECKS = 160, 12
Box = tuple[int, int, int, int]


@dataclass
class Outcome:
    """What was done to a file.

    Attributes:
        source: where it was.
        written: where its new file is, None where it was refused.
        reason: why it was refused.
        sector: ``fan``, ``rectangle`` or ``stated``.
        agreement: IoU of the sector's fitted shape and the lit body.
        blanked: share of the picture that was blanked.
        frames: how many were written.
        burned_in: what the new file says of burned-in annotation: ``NO`` where none is left for certain, else
            what its source said, None where that is nothing.
        actions: how many elements of each action of the profile there were.
        remarks: what a person should look at.
        before: the brightest values of the frames, (H, W, 3) uint8, for the report alone.
        after: the same once blanked.
    """

    source: str
    written: str | None = None
    reason: str | None = None
    sector: str | None = None
    agreement: float | None = None
    blanked: float | None = None
    frames: int = 0
    burned_in: str | None = None
    actions: dict[str, int] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    before: np.ndarray | None = field(default=None, repr=False)
    after: np.ndarray | None = field(default=None, repr=False)

    def as_dict(self) -> dict[str, Any]:
        """All but the pictures."""
        return {k: v for k, v in asdict(self).items() if k not in ("before", "after")}


def deidentify(
    sources: Sequence[Source],
    out: Path,
    keep: Box | None = None,
    *,
    inspected: bool = False,
    each: Callable[[Outcome], None] = lambda outcome: None,
) -> list[Outcome]:
    """Write files without their patients, named by number.

    Args:
        sources: DICOM files.
        out: a folder for them, which holds nothing else.
        keep: x1, y1, x2, y2 of what is kept of each picture, where it shall not be looked for.
        inspected: a person has seen that no text lies over the echoes, which can't be told of a still.
        each: called after each file.

    Returns:
        what was done, in the order of the files; a file that is refused is not written.

    Raises:
        OutputError: a file can't be written, or the folder is not empty.
        UltraSamError: dicom-anonymizer is not installed.
    """
    attributes.table()
    if out.exists() and any(out.iterdir()):
        raise OutputError(f"{out} is not empty: name a new folder, so that what is in it is clear")
    outcomes = []
    for number, source in enumerate(sources, start=1):
        outcome = Outcome(str(source.path))
        try:
            _one(source.path, out / f"{number:05d}.dcm", keep, inspected, outcome)
            outcome.written = f"{number:05d}.dcm"
        except OutputError:
            raise
        except UltraSamError as error:
            outcome.reason = str(error)
        each(outcome)
        outcomes.append(outcome)
    return outcomes


def _one(path: Path, target: Path, keep: Box | None, inspected: bool, outcome: Outcome) -> None:
    if not dicom_header.is_dicom(path):
        raise DataError(f"{path} is not DICOM")
    clip = dicom.open_clip(path)
    if lacks := clip.lacks():
        raise DataError(lacks)
    brightest, darkest = _extremes(clip)
    outcome.before = brightest
    gray = brightest.max(axis=2)
    sector = _stated(gray, keep) if keep else _found(path, gray)
    outcome.sector, outcome.agreement = sector.kind, sector.agreement
    outcome.blanked = round(1 - float(sector.mask.mean()), 4)
    outcome.after = brightest * sector.mask[..., None]
    certain = _look_within(clip, sector, darkest) or inspected
    if not certain:
        outcome.remarks.append("a still: text over the echoes can't be told from them; look at it")
    dataset = copy.deepcopy(clip.dataset)
    try:
        outcome.actions = dict(attributes.apply_profile(dataset))
    # Damaged values show when they are looked at, with pydicom's errors or any other.
    except Exception as error:
        raise DataError(f"{path} is not written: its header can't be cleaned: {error}") from error
    attributes.say_so(dataset, pixels=certain)
    outcome.burned_in = str(dataset.get("BurnedInAnnotation") or "") or None
    with tempfile.TemporaryFile() as pixels:
        kind = _write_frames(clip, sector.mask, pixels)
        _describe(dataset, clip, kind)
        pixels.seek(0)
        _save(dataset, pixels, target)
    outcome.frames = clip.frames


def _extremes(clip: dicom.Clip) -> tuple[np.ndarray, np.ndarray]:
    """The brightest and darkest values of each pixel in frames all over a clip, (H, W, 3) uint8."""
    brightest: np.ndarray | None = None
    for number in np.unique(np.linspace(0, clip.frames - 1, _LOOKED_AT).astype(int)):
        image = clip.read(int(number), "minmax" if clip.dataset.BitsAllocated > 8 else None)
        if brightest is None:
            brightest, darkest = image.copy(), image.copy()
        np.maximum(brightest, image, out=brightest)
        np.minimum(darkest, image, out=darkest)
    assert brightest is not None
    return brightest, darkest


def _found(path: Path, gray: np.ndarray) -> Sector:
    try:
        return find_sector(gray)
    except DataError as error:
        raise DataError(
            f"{path} is not written, since its scan sector is not certain: {error}; state it with --keep"
        ) from error


def _stated(gray: np.ndarray, keep: Box) -> Sector:
    x1, y1, x2, y2 = keep
    if not (0 <= x1 < x2 <= gray.shape[1] and 0 <= y1 < y2 <= gray.shape[0]):
        size = f"{gray.shape[1]} x {gray.shape[0]}"
        raise DataError(f"--keep {x1},{y1},{x2},{y2} does not lie in a picture of {size} pixels")
    mask = np.zeros(gray.shape, bool)
    mask[y1:y2, x1:x2] = True
    return Sector(mask, "stated", 1.0)


def _look_within(clip: dicom.Clip, sector: Sector, darkest: np.ndarray) -> bool:
    """Whether no text lies over the echoes for certain; it could not be blanked.

    In a clip it is what stays bright, and the file is refused; in a still it can't be told.

    Raises:
        DataError: there is some.
    """
    if clip.frames < 5:
        return False
    ink = (darkest.max(axis=2) >= _INK) & sector.mask
    if np.count_nonzero(ink) > _SPECKS:
        y, x = np.argwhere(ink)[0]
        raise DataError(
            f"{clip.path} is not written: {np.count_nonzero(ink)} pixels within its scan sector stay bright "
            f"in all frames, as text does (the first at {x}, {y})"
        )
    return True


def _write_frames(clip: dicom.Clip, mask: np.ndarray, pixels: BinaryIO) -> str:
    """Write all frames, blanked outside the mask, one after the other; their photometric interpretation."""
    kind = ""
    for number in range(clip.frames):
        samples, kind = clip.samples(number)
        blank = _blank(clip, samples, kind)
        shown = mask[..., None] if samples.ndim == 3 else mask
        blanked = np.where(shown, samples, blank).astype(samples.dtype)
        # Little endian, as the new file is.
        pixels.write(blanked.astype(samples.dtype.newbyteorder("<")).tobytes())
    pixels.write(bytes(pixels.tell() % 2))
    return kind


def _blank(clip: dicom.Clip, samples: np.ndarray, kind: str) -> Any:
    """The sample that is shown black."""
    if kind == "PALETTE COLOR":
        from pydicom.pixels import apply_color_lut

        entries = np.arange(2 ** min(int(clip.dataset.BitsStored), 16)).astype(samples.dtype)
        return entries[int(apply_color_lut(entries[None], clip.dataset).astype(float).sum(axis=2).argmin())]
    if kind == "MONOCHROME1":
        return 2 ** int(clip.dataset.BitsStored) - 1 if samples.dtype.kind == "u" else samples.max()
    return 0 if samples.dtype.kind == "u" else samples.min()


def _describe(dataset: Any, clip: dicom.Clip, kind: str) -> None:
    """The header as the new pixels are: not compressed, RGB where they were YBR."""
    from pydicom.uid import ExplicitVRLittleEndian

    samples = clip.samples(0)[0]
    dataset.PhotometricInterpretation = kind
    if samples.ndim == 3:
        dataset.PlanarConfiguration = 0
    dataset.BitsAllocated = samples.dtype.itemsize * 8
    if clip.frames > 1 or "NumberOfFrames" in dataset:
        dataset.NumberOfFrames = clip.frames
    for name in ("ExtendedOffsetTable", "ExtendedOffsetTableLengths"):
        if name in dataset:
            del dataset[name]
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian


def _save(dataset: Any, pixels: BinaryIO, target: Path) -> None:
    import pydicom

    deep = dataset.BitsAllocated > 8
    dataset.add_new("PixelData", "OW" if deep else "OB", pixels)
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.preamble = bytes(128)
    with files.open_atomic(target) as file:
        pydicom.dcmwrite(file, dataset, enforce_file_format=True, implicit_vr=False, little_endian=True)


def refused(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """Why files were not written."""
    return (outcome.reason for outcome in outcomes if outcome.reason)
