"""Taking patients out of DICOM files: from their pixels and from their headers."""
