"""Outlines and sizes as a DICOM Structured Report (SR): TID 1500, with a planar ROI (TID 1410) a mask."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from highdicom import sr
from highdicom.coding_schemes import CodingSchemeIdentificationItem
from highdicom.sr import CodedConcept
from pydicom.sr.codedict import codes

from ultrasam.data.polygons import one_polygon
from ultrasam.errors import DataError
from ultrasam.pacs.codes import OURS, PREDICTED_IOU, PREDICTED_QUALITY, coded
from ultrasam.pacs.findings import Finding
from ultrasam.pacs.maker import NAME, Maker
from ultrasam.pacs.result import Result, write
from ultrasam.pacs.source_images import CHARACTER_SET

#: Size -> its concept and unit (UCUM).
_SIZES = {
    "area_mm2": (CodedConcept("42798000", "SCT", "Area"), codes.UCUM.SquareMillimeter),
    "long_mm": (CodedConcept("103339001", "SCT", "Long Axis"), codes.UCUM.Millimeter),
    "short_mm": (CodedConcept("103340004", "SCT", "Short Axis"), codes.UCUM.Millimeter),
}


def write_report(result: Result, path: str | Path) -> int:
    """Write outlines and sizes as one file.

    An outline is a closed polyline along the edges of the mask's pixels: filled by the even-odd rule it is
    the mask; where a mask has parts or holes, cuts of no width join them.

    Args:
        result: what was found.
        path: the file to write, whole or not at all.

    Returns:
        How many findings have an empty mask, and so no outline: they are not in the report.

    Raises:
        DataError: no object has an outline, or a mask is not of the source's size.
        OutputError: it can't be written.
    """
    groups = [group for finding in result.findings for group in _groups(result, finding)]
    if not groups:
        raise DataError("all masks are empty: there is nothing to write as DICOM SR")
    made = sr.ComprehensiveSR(
        evidence=list(result.images.headers),
        content=sr.MeasurementReport(
            observation_context=_observed_by(result.maker),
            procedure_reported=codes.SCT.DiagnosticUltrasonography,
            imaging_measurements=groups,
        ),
        manufacturer=NAME,
        # Nobody has looked at it yet.
        is_complete=True,
        is_final=False,
        is_verified=False,
        coding_schemes=[CodingSchemeIdentificationItem(OURS, name=NAME, responsible_organization=NAME)],
        **result.identity("SR"),
    )
    made.SpecificCharacterSet = CHARACTER_SET
    write(made, path)
    return len(result.findings) - len(groups)


def _observed_by(maker: Maker) -> sr.ObservationContext:
    device = sr.DeviceObserverIdentifyingAttributes(
        uid=maker.uid("observer"), name=NAME, manufacturer_name=NAME, model_name=maker.title
    )
    return sr.ObservationContext(
        observer_device_context=sr.ObserverContext(
            observer_type=codes.DCM.Device, observer_identifying_attributes=device
        )
    )


def _groups(result: Result, finding: Finding) -> list[Any]:
    """The planar ROI of a finding, or none where its mask is empty."""
    corners = one_polygon(result.mask(finding))
    if not corners:
        return []
    header, number = result.images.header_of(finding.frame), result.images.number_of(finding.frame)
    image = sr.SourceImageForRegion(
        header.SOPClassUID, header.SOPInstanceUID, None if number is None else [number]
    )
    outline = np.array(corners + corners[:2]).reshape(-1, 2)
    code = coded(finding.name)
    return [
        sr.PlanarROIMeasurementsAndQualitativeEvaluations(
            tracking_identifier=sr.TrackingIdentifier(
                uid=result.tracking_uid(finding.object), identifier=result.label(finding.object)
            ),
            referenced_region=sr.ImageRegion(sr.GraphicTypeValues.POLYLINE, outline, image),
            finding_type=code.kind,
            finding_category=code.category,
            finding_sites=[sr.FindingSite(code.region)] if code.region else None,
            algorithm_id=result.maker.for_report(),
            measurements=_measurements(finding),
        )
    ]


def _measurements(finding: Finding) -> list[sr.Measurement]:
    named = [(*_SIZES[name], value) for name, value in finding.sizes.items() if name in _SIZES]
    named.append((PREDICTED_IOU, codes.UCUM.Ratio, finding.score))
    if finding.quality is not None:
        named.append((PREDICTED_QUALITY, codes.UCUM.Ratio, finding.quality))
    return [sr.Measurement(concept, value, unit) for concept, unit, value in named]
