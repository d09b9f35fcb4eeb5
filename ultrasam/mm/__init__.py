"""The MMDetection side: importing this registers everything a configuration names.

The only folder that imports mmengine, mmcv, mmdet or mmpretrain.
"""

from ultrasam.mm import compat  # noqa: I001  first: it lets the rest import

from ultrasam.mm.datasets.augment import Degrade, RandomView, Tone
from ultrasam.mm.models.backbone import ResNetBackbone, UltraSamBackbone
from ultrasam.mm.datasets.label_dataset import LabelDataset
from ultrasam.mm.evaluation.label_metric import LabelMetric
from ultrasam.mm.models.image_task import ImageTask
from ultrasam.mm.datasets.prompt_dataset import PromptDataset
from ultrasam.mm.datasets.tickets import PromptSampler
from ultrasam.mm.models.detector import UltraSam
from ultrasam.mm.engine.hooks import MainLoggerHook, PeakMemoryHook, PromptVisualizationHook, StepSeedHook
from ultrasam.mm.datasets.instance_dataset import InstanceDataset
from ultrasam.mm.evaluation.instance_metric import InstanceMetric
from ultrasam.mm.evaluation.prompt_metric import PromptCocoMetric
from ultrasam.mm.engine.optim import Bfloat16OptimWrapper, DecayMatrices
from ultrasam.mm.engine.pictures import InstancePictureHook, LabelPictureHook
from ultrasam.mm.models.preprocessor import PromptDataPreprocessor
from ultrasam.mm.models.segmenter import InstanceSegmenter
from ultrasam.mm.datasets.transforms import Flip, LoadImage, LoadObjects, PackPrompts, SimulatePrompts

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
