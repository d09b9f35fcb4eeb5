"""Weight files of every ecosystem: read safely, named as in Segment Anything, loaded strictly, written back.

The network carries Meta's parameter names, so ``sam_vit_*.pth`` and ``medsam_vit_b.pth`` need no mapping; the
names of others are known in this folder and nowhere else.
"""

from ultrasam.checkpoints.detection import describe, detect
from ultrasam.checkpoints.download import fetch, resolve
from ultrasam.checkpoints.formats import named_as_sam
from ultrasam.checkpoints.loading import (
    LoadReport,
    load,
    load_file_into,
    load_into,
    load_start,
    load_with_report,
)
from ultrasam.checkpoints.published import from_published, is_published, to_published
from ultrasam.checkpoints.reading import read
from ultrasam.checkpoints.writing import TARGETS, convert, save

__all__ = [
    "TARGETS",
    "LoadReport",
    "convert",
    "describe",
    "detect",
    "fetch",
    "from_published",
    "is_published",
    "load",
    "load_file_into",
    "load_into",
    "load_start",
    "load_with_report",
    "named_as_sam",
    "read",
    "resolve",
    "save",
    "to_published",
]
