"""Ultrasound DICOM files as scanners write them: whole by the standard, with a patient and a region."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    ExplicitVRLittleEndian,
    JPEGBaseline8Bit,
    UltrasoundImageStorage,
    UltrasoundMultiFrameImageStorage,
    generate_uid,
)

#: mm a pixel, x and y, of the region that covers all of the image.
SPACING = (0.2, 0.25)


def write_scan(path: Path, frames: np.ndarray, *, jpeg: bool = False, **changes: object) -> Dataset:
    """Write frames (N, H, W, 3) uint8 RGB as a multi-frame file, or (H, W) uint8 as a single image.

    Args:
        path: the file.
        frames: its pixels.
        jpeg: compress each frame as baseline JPEG.
        changes: attributes that differ.
    """
    still = frames.ndim == 2
    scan = Dataset()
    scan.SOPClassUID = UltrasoundImageStorage if still else UltrasoundMultiFrameImageStorage
    scan.SOPInstanceUID, scan.SeriesInstanceUID, scan.StudyInstanceUID = (generate_uid() for _ in range(3))
    scan.SpecificCharacterSet = "ISO_IR 100"
    scan.PatientName, scan.PatientID = "Müller^Jörg", "4711"
    scan.PatientBirthDate, scan.PatientSex = "19700102", "M"
    scan.StudyDate, scan.StudyTime, scan.StudyID, scan.AccessionNumber = "20260102", "101112", "S1", "A1"
    scan.ContentDate, scan.ContentTime = scan.StudyDate, scan.StudyTime
    scan.ReferringPhysicianName = "Referrer^Rita"
    scan.Modality, scan.SeriesNumber, scan.InstanceNumber = "US", 3, 7
    scan.Manufacturer, scan.PatientOrientation = "Scanners", ""
    scan.Laterality = ""
    scan.ImageType = ["ORIGINAL", "PRIMARY"]
    region = Dataset()
    region.RegionSpatialFormat, region.RegionDataType, region.RegionFlags = 1, 1, 0
    region.RegionLocationMinX0, region.RegionLocationMinY0 = 0, 0
    height, width = frames.shape[:2] if still else frames.shape[1:3]
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = width - 1, height - 1
    region.PhysicalUnitsXDirection, region.PhysicalUnitsYDirection = 3, 3
    region.PhysicalDeltaX, region.PhysicalDeltaY = SPACING[0] / 10, SPACING[1] / 10
    scan.SequenceOfUltrasoundRegions = [region]
    scan.Rows, scan.Columns = height, width
    scan.BitsAllocated, scan.BitsStored, scan.HighBit, scan.PixelRepresentation = 8, 8, 7, 0
    scan.SamplesPerPixel = 1 if still else 3
    scan.PhotometricInterpretation = "MONOCHROME2" if still else "YBR_FULL_422" if jpeg else "RGB"
    scan.LossyImageCompression = "01" if jpeg else "00"
    if jpeg:
        scan.LossyImageCompressionRatio, scan.LossyImageCompressionMethod = 10, "ISO_10918_1"
    if not still:
        scan.PlanarConfiguration = 0
        scan.NumberOfFrames, scan.FrameTime = len(frames), 40
        scan.FrameIncrementPointer = 0x00181063
    scan.PixelData = encapsulate([_jpeg(f) for f in frames]) if jpeg else frames.tobytes()
    for name, value in changes.items():
        setattr(scan, name, value)
    scan.file_meta = FileMetaDataset()
    scan.file_meta.TransferSyntaxUID = JPEGBaseline8Bit if jpeg else ExplicitVRLittleEndian
    scan.save_as(path, enforce_file_format=True)
    return scan


def _jpeg(frame: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(frame).save(buffer, "jpeg", quality=90, subsampling="4:2:2")
    return buffer.getvalue()
