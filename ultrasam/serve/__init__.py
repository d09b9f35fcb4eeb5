"""The model for other programs: over HTTP, as a backend of Label Studio, as functions of CVAT."""
