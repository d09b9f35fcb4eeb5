"""A DICOM Segmentation of a clip, by PS3.3 A.51.

highdicom writes those of stills; clips it refuses, since ultrasound has no frame of reference.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from highdicom.base import SOPClass
from highdicom.seg import SegmentDescription
from highdicom.sr import CodedConcept
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.tag import Tag
from pydicom.uid import ExplicitVRLittleEndian, SegmentationStorage, generate_uid

from ultrasam.pacs.findings import Finding
from ultrasam.pacs.result import Result
from ultrasam.pacs.source_images import SourceImages


class ClipSegmentation(SOPClass):
    """The data set.

    Args:
        result: what was found in the clip.
        segment_descriptions: one an object.
        identity: UIDs, numbers and equipment, as `highdicom.SOPClass` takes them.
    """

    def __init__(
        self, result: Result, segment_descriptions: Sequence[SegmentDescription], **identity: Any
    ) -> None:
        images, found = result.images, result.findings
        source = images.first
        super().__init__(
            study_instance_uid=source.StudyInstanceUID,
            sop_class_uid=SegmentationStorage,
            modality="SEG",
            transfer_syntax_uid=ExplicitVRLittleEndian,
            **identity,
        )
        self.copy_patient_and_study_information(source)
        self._describe_content(segment_descriptions, identity["manufacturer_model_name"])
        self._describe_dimensions()
        self._refer_to(images, found)
        self._describe_frames(images, found)
        self._hold_pixels(result)

    def _describe_content(self, segments: Sequence[SegmentDescription], by: str) -> None:
        self.ImageType = ["DERIVED", "PRIMARY"]
        self.ContentLabel, self.ContentDescription, self.ContentCreatorName = "SEGMENTATION", by, None
        self.SegmentationType = "BINARY"
        self.SegmentSequence = list(segments)
        self.BurnedInAnnotation = "NO"

    def _describe_dimensions(self) -> None:
        """Frames are ordered by segment, then by time."""
        organization = generate_uid()
        self.DimensionOrganizationSequence = [_item(DimensionOrganizationUID=organization)]
        self.DimensionIndexSequence = [
            _item(
                DimensionOrganizationUID=organization,
                DimensionIndexPointer=Tag(pointer),
                FunctionalGroupPointer=Tag(group),
                DimensionDescriptionLabel=label,
            )
            for pointer, group, label in (
                ("ReferencedSegmentNumber", "SegmentIdentificationSequence", "Segment"),
                ("TemporalPositionIndex", "FrameContentSequence", "Frame"),
            )
        ]

    def _refer_to(self, images: SourceImages, found: Sequence[Finding]) -> None:
        """The Common Instance Reference module: every source instance, once."""
        used = {f.frame: images.header_of(f.frame) for f in found}
        by_uid = {header.SOPInstanceUID: header for header in used.values()}
        self.ReferencedSeriesSequence = [
            _item(
                SeriesInstanceUID=images.first.SeriesInstanceUID,
                ReferencedInstanceSequence=[_reference(header) for header in by_uid.values()],
            )
        ]

    def _describe_frames(self, images: SourceImages, found: Sequence[Finding]) -> None:
        # What all frames share differs for none, but the sequence must have its item.
        self.SharedFunctionalGroupsSequence = [Dataset()]
        places = {frame: i for i, frame in enumerate(sorted({f.frame for f in found}), start=1)}
        self.PerFrameFunctionalGroupsSequence = [
            _item(
                FrameContentSequence=[
                    _item(
                        DimensionIndexValues=[f.object, places[f.frame]],
                        # Ordinal, as dimension values are; the number in the clip is in the reference.
                        TemporalPositionIndex=places[f.frame],
                    )
                ],
                SegmentIdentificationSequence=[_item(ReferencedSegmentNumber=f.object)],
                DerivationImageSequence=[_derivation(images, f.frame)],
            )
            for f in found
        ]

    def _hold_pixels(self, result: Result) -> None:
        source = result.images.header_of(result.findings[0].frame)
        self.Rows, self.Columns = source.Rows, source.Columns
        self.NumberOfFrames = len(result.findings)
        self.SamplesPerPixel, self.PhotometricInterpretation = 1, "MONOCHROME2"
        self.BitsAllocated, self.BitsStored, self.HighBit, self.PixelRepresentation = 1, 1, 0, 0
        self.PixelData = b"".join(_packed(result))


def _packed(result: Result) -> Iterator[bytes]:
    """The masks as bits, the first pixel in the lowest; frames follow without a gap, as PS3.5 8.1.1 says."""
    rest = np.zeros(0, dtype=bool)
    length = 0
    for finding in result.findings:
        bits = np.concatenate([rest, result.mask(finding).ravel()])
        whole = len(bits) // 8 * 8
        rest = bits[whole:]
        length += whole // 8
        yield np.packbits(bits[:whole], bitorder="little").tobytes()
    last = np.packbits(rest, bitorder="little").tobytes()
    yield last + b"\0" * ((length + len(last)) % 2)


def _derivation(images: SourceImages, frame: int) -> Dataset:
    reference = _reference(images.header_of(frame))
    number = images.number_of(frame)
    if number is not None:
        reference.ReferencedFrameNumber = number
    reference.SpatialLocationsPreserved = "YES"
    purpose = codes.cid7202.SourceImageForImageProcessingOperation
    reference.PurposeOfReferenceCodeSequence = [CodedConcept.from_code(purpose)]
    kind = CodedConcept.from_code(codes.cid7203.SegmentationImageDerivation)
    return _item(DerivationCodeSequence=[kind], SourceImageSequence=[reference])


def _reference(header: Dataset) -> Dataset:
    return _item(ReferencedSOPClassUID=header.SOPClassUID, ReferencedSOPInstanceUID=header.SOPInstanceUID)


def _item(**attributes: Any) -> Dataset:
    item = Dataset()
    for name, value in attributes.items():
        setattr(item, name, value)
    return item
