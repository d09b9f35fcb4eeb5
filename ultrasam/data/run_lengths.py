"""COCO's run-length codes of masks; whoever needs them alone does not import what reads COCO files."""

from ultrasam.converters.engine.rle import compress, counts

__all__ = ["compress", "counts"]
