"""The MMDetection side: importing this registers everything a configuration names.

The only folder that imports mmengine, mmcv, mmdet or mmpretrain.
"""

from ultrasam.mm import compat  # noqa: I001  first: it lets the rest import

from ultrasam.mm.augment import Degrade, RandomView, Tone
from ultrasam.mm.backbone import ResNetBackbone, UltraSamBackbone
from ultrasam.mm.classification import ImageTask, LabelDataset, LabelMetric
from ultrasam.mm.dataset import PromptDataset, PromptSampler
from ultrasam.mm.detector import UltraSam
from ultrasam.mm.hooks import MainLoggerHook, PeakMemoryHook, PromptVisualizationHook, StepSeedHook
from ultrasam.mm.instances import InstanceDataset, InstanceMetric
from ultrasam.mm.metric import PromptCocoMetric
from ultrasam.mm.optim import Bfloat16OptimWrapper, DecayMatrices
from ultrasam.mm.pictures import InstancePictureHook, LabelPictureHook
from ultrasam.mm.preprocessor import PromptDataPreprocessor
from ultrasam.mm.segmenter import InstanceSegmenter
from ultrasam.mm.transforms import Flip, LoadImage, LoadObjects, PackPrompts, SimulatePrompts

__all__ = [
    "Bfloat16OptimWrapper",
    "DecayMatrices",
    "Degrade",
    "Flip",
    "ImageTask",
    "InstanceDataset",
    "InstanceMetric",
    "InstancePictureHook",
    "InstanceSegmenter",
    "LabelDataset",
    "LabelMetric",
    "LabelPictureHook",
    "LoadImage",
    "LoadObjects",
    "MainLoggerHook",
    "PackPrompts",
    "PeakMemoryHook",
    "PromptCocoMetric",
    "PromptDataPreprocessor",
    "PromptDataset",
    "PromptSampler",
    "PromptVisualizationHook",
    "RandomView",
    "ResNetBackbone",
    "SimulatePrompts",
    "StepSeedHook",
    "Tone",
    "UltraSam",
    "UltraSamBackbone",
    "compat",
]
