"""A job over files: images, DICOM and videos in, masks, overlays and one COCO file out."""
