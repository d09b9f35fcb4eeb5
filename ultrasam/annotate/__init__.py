"""Click and see: images, clips and DICOM labeled with a model's help, in a browser or from Python."""
