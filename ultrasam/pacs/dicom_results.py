"""SEG and SR as products of a run over files, written beside its masks and sent to an archive where asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from ultrasam.errors import DataError
from ultrasam.pacs.findings import from_records
from ultrasam.pacs.maker import Maker
from ultrasam.pacs.measurement_report import write_report
from ultrasam.pacs.result import Result
from ultrasam.pacs.segmentation_object import write_segmentation
from ultrasam.pacs.source_images import SourceImages
from ultrasam.predict.files.sources import Source


class Archive(Protocol):
    """Where results can be sent."""

    def store(self, paths: Sequence[Path]) -> None:
        """Send files; `DataError` where the archive does not take all of them."""


class DicomResults:
    """A `Product` of `ultrasam.predict.files.file_run.FileRun`.

    Args:
        out: the run's folder; files go to ``dicom/NAME.seg.dcm`` and ``dicom/NAME.sr.dcm``.
        categories: COCO's list of categories.
        maker: who segmented.
        segmentation: write SEG.
        report: write SR.
        archive: gets what was written.

    Attributes:
        written: how many files.
        sent: how many of them the archive took.
        without_outline: how many objects in frames have an empty mask, and so no place in a report.
        without_objects: names of the files in which nothing was found.
        made: names of what was written, in the run's folder.
    """

    def __init__(
        self,
        out: Path,
        categories: Sequence[Mapping[str, Any]],
        maker: Maker,
        *,
        segmentation: bool,
        report: bool,
        archive: Archive | None = None,
    ) -> None:
        self.out, self.maker, self.archive = out, maker, archive
        self.names = {category["id"]: str(category["name"]) for category in categories}
        self.segmentation, self.report = segmentation, report
        self.written = self.sent = self.without_outline = 0
        self.without_objects: list[str] = []
        self.made: list[str] = []

    def make(self, source: Source, name: str, records: Sequence[dict[str, Any]]) -> None:
        """Write and send what was found in one file."""
        # A series of single images is one clip.
        images = SourceImages.read(*(getattr(source, "series", ()) or (source.path,)))
        found = from_records(self.out, records, self.names, linked=not self.maker.automatic)
        if not found:
            self.without_objects.append(source.file_name)
            return
        before = len(self.made)
        try:
            result = Result(images, found, self.maker)
            if self.segmentation:
                write_segmentation(result, self.out / f"dicom/{name}.seg.dcm")
                self.made.append(f"dicom/{name}.seg.dcm")
            if self.report:
                self.without_outline += write_report(result, self.out / f"dicom/{name}.sr.dcm")
                self.made.append(f"dicom/{name}.sr.dcm")
        # What pydicom and highdicom say of a source whose header is against the standard.
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise DataError(f"its header can't be taken over into a DICOM result: {error}") from error
        paths = [self.out / made for made in self.made[before:]]
        self.written += len(paths)
        if self.archive:
            self.archive.store(paths)
            self.sent += len(paths)

    def __str__(self) -> str:
        text = f"{self.written} DICOM files" + (f", {self.sent} of them sent" if self.archive else "")
        if self.without_outline:
            text += f", {self.without_outline} empty masks left out of reports"
        if self.without_objects:
            text += f", {len(self.without_objects)} files without objects"
        return text
