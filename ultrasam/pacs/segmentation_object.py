"""Masks as a DICOM Segmentation (SEG): BINARY, one segment an object, with references to source frames."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from highdicom.seg import Segmentation as StillSegmentation
from highdicom.seg import SegmentationTypeValues, SegmentDescription
from pydicom.dataset import Dataset

from ultrasam.errors import DataError
from ultrasam.pacs.clip_segmentation import ClipSegmentation
from ultrasam.pacs.codes import coded
from ultrasam.pacs.result import Result, write
from ultrasam.pacs.source_images import CHARACTER_SET

#: Segment numbers have 16 bits.
_MOST_SEGMENTS = 65535


def write_segmentation(result: Result, path: str | Path) -> None:
    """Write the masks of a still or a clip as one file.

    Each object has a frame for each source frame that it was looked for in, empty where it was not found.

    Args:
        result: what was found.
        path: the file to write, whole or not at all.

    Raises:
        DataError: a mask is not of the source's size, or there are too many objects.
        OutputError: it can't be written.
    """
    if len(result.names) > _MOST_SEGMENTS:
        raise DataError(f"a DICOM SEG holds {_MOST_SEGMENTS} objects, there are {len(result.names)}")
    described = {
        "segment_descriptions": [_description(result, number) for number in result.names],
        **result.identity("SEG"),
        **result.maker.equipment(),
    }
    made = (_still if result.images.still else ClipSegmentation)(result, **described)
    made.SpecificCharacterSet = CHARACTER_SET
    _order_frames_by(made, result.maker.uid("dimensions", made.SOPInstanceUID))
    # Unknown, but it must be there where nothing says how the image lies in the patient.
    made.PatientOrientation = None
    source = result.images.first
    # What was lossy once stays so in all that is made of it.
    made.LossyImageCompression = source.get("LossyImageCompression") or "00"
    for name in ("LossyImageCompressionRatio", "LossyImageCompressionMethod"):
        if made.LossyImageCompression == "01" and source.get(name):
            setattr(made, name, source.get(name))
    write(made, path)


def _order_frames_by(made: Dataset, organization: str) -> None:
    """Name the organization of the dimensions after the result: made at random, it would differ each time."""
    for item in (*made.DimensionOrganizationSequence, *made.DimensionIndexSequence):
        item.DimensionOrganizationUID = organization


def _still(result: Result, **described: Any) -> StillSegmentation:
    masks = np.stack([result.mask(f) for f in result.findings], axis=-1)
    return StillSegmentation(
        source_images=[result.images.first],
        pixel_array=masks[None].astype(np.uint8),
        segmentation_type=SegmentationTypeValues.BINARY,
        omit_empty_frames=False,
        content_label="SEGMENTATION",
        content_description=result.maker.title,
        **described,
    )


def _description(result: Result, number: int) -> SegmentDescription:
    code = coded(result.names[number])
    described = SegmentDescription(
        segment_number=number,
        segment_label=result.label(number),
        segmented_property_category=code.category,
        segmented_property_type=code.kind,
        algorithm_type="AUTOMATIC" if result.maker.automatic else "SEMIAUTOMATIC",
        algorithm_identification=result.maker.for_segments(),
        tracking_uid=result.tracking_uid(number),
        tracking_id=result.label(number),
        anatomic_regions=[code.region] if code.region else None,
    )
    if not code.known:
        described.SegmentDescription = f"UltraSam has no code for '{result.names[number]}'"
    return described
