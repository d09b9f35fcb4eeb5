"""US-43d: raw public ultrasound archives to COCO."""

from .engine.errors import ConverterError
from .engine.run import Report, convert
from .engine.types import Card, Case, Category, Dataset, Frame, Instances, Object, Skip
from .engine.validate import Problem, check
from .registry import get, names

__all__ = [
    "Card",
    "Case",
    "Category",
    "ConverterError",
    "Dataset",
    "Frame",
    "Instances",
    "Object",
    "Problem",
    "Report",
    "Skip",
    "check",
    "convert",
    "get",
    "names",
]
