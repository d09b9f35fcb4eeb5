"""The encoder on other tasks, in plain PyTorch: pyramid, linear heads, probes, labels and scores."""

from ultrasam.checkpoints.loading import load_start
from ultrasam.downstream.labels import LabelTable, Task, read_labels
from ultrasam.downstream.linear import LinearHead
from ultrasam.downstream.model import ImageModel, load_image_model
from ultrasam.downstream.pyramid import Pyramid

__all__ = [
    "ImageModel",
    "LabelTable",
    "LinearHead",
    "Pyramid",
    "Task",
    "load_image_model",
    "load_start",
    "read_labels",
]
