"""A trained detector of MMDetection on images, and any trained model as what proposes objects."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from mmcv.transforms import Compose
from mmdet.apis import inference_detector
from mmdet.models import BaseDetector
from mmdet.registry import DATASETS, MODELS
from mmengine.config import Config
from mmengine.model.utils import revert_sync_batchnorm
from mmengine.registry import init_default_scope
from mmengine.runner import load_checkpoint
from mmengine.structures import InstanceData

from ultrasam.errors import CheckpointError, ConfigError, UltraSamError
from ultrasam.machine.memory import memory_advice
from ultrasam.mm.engine.configuration import errors_of_parts, find_config, read_model
from ultrasam.mm.engine.segment import Segmenter
from ultrasam.predict.detections import Detections
from ultrasam.predict.encoded import Encoded


class Trained(Protocol):
    """A trained model that finds objects on images; `Detector` and `Segmenter` are."""

    names: list[str]

    def find(self, image: np.ndarray, score: float) -> InstanceData:
        """Objects of an RGB image (H, W, 3) that are at least so sure."""


class Detector:
    """A detector of MMDetection, with masks or without, ready for images.

    Attributes:
        names: of its classes.
    """

    def __init__(self, model: BaseDetector, names: Sequence[str], pipeline: Compose) -> None:
        self.names, self._model, self._pipeline = list(names), model, pipeline

    @classmethod
    def load(cls, config: str | Path, checkpoint: str | Path) -> Detector:
        """Build the model of a configuration with the weights of a training run.

        Raises:
            ConfigError: the configuration is of another kind of model, or nothing names its classes.
            CheckpointError: the file does not fit it, or is not there.
        """
        cfg = read_model(find_config(str(config)))
        dataset = _dataset(cfg, config)
        init_default_scope(cfg.get("default_scope", "mmdet"))
        with errors_of_parts(config):
            model = revert_sync_batchnorm(MODELS.build(cfg.model))
            pipeline = Compose(
                [{**dataset.pipeline[0], "type": "mmdet.LoadImageFromNDArray"}, *dataset.pipeline[1:]]
            )
        if not isinstance(model, BaseDetector) or type(model).__module__.startswith("ultrasam."):
            raise ConfigError(
                f"{config} configures a {type(model).__name__}, which is no detector of MMDetection"
            )
        try:
            content = load_checkpoint(model, str(checkpoint), map_location="cpu", strict=True)
        except RuntimeError as error:
            raise CheckpointError(f"{checkpoint} does not fit {config}: {error}") from error
        except OSError as error:
            raise CheckpointError(f"the weights {checkpoint} can't be read: {error}") from error
        names = _names(model, content.get("meta") or {}, dataset, config)
        # `inference_detector` looks for it.
        model.cfg = cfg
        return cls(model.eval().to("cuda" if torch.cuda.is_available() else "cpu"), names, pipeline)

    def find(self, image: np.ndarray, score: float) -> InstanceData:
        """Objects of an RGB image (H, W, 3) uint8 that are at least so sure, as MMDetection finds them.

        Returns:
            ``bboxes`` (n, 4) xyxy in pixels of the image, ``scores``, ``labels``, and of a model with masks
            ``masks`` (n, H, W) bool.
        """
        # What it was trained on was read with OpenCV.
        pixels = np.ascontiguousarray(image[..., ::-1])
        with memory_advice(["a smaller scale in the configuration's test pipeline"]):
            found = inference_detector(self._model, pixels, self._pipeline).pred_instances
        if found.bboxes.shape[-1] != 4:
            raise ConfigError("this detector finds rotated boxes, which are no prompts")
        return found[found.scores >= score].cpu().numpy()


def _dataset(cfg: Config, config: str | Path) -> Any:
    """The test data set that has the pipeline, within those that wrap it."""
    part = cfg.get("test_dataloader", {}).get("dataset", {})
    while part and "pipeline" not in part:
        part = part.get("dataset") or (part.get("datasets") or [None])[0]
    if not part:
        raise ConfigError(
            f"{config} does not say how images are read: it has no test_dataloader with a pipeline"
        )
    return part


def _names(model: BaseDetector, meta: Mapping[str, Any], dataset: Any, config: str | Path) -> list[str]:
    """The names of a detector's classes: the first that are as many as it tells apart."""
    counts = [getattr(module, "num_classes", None) for module in model.modules()]
    count = max((number for number in counts if isinstance(number, int)), default=0)
    for names in _said(meta, dataset):
        if names and (not count or len(names) == count):
            return names
    raise ConfigError(
        f"nothing names the {count} classes of {config}: its checkpoint does not, so say them as "
        "test_dataloader.dataset.metainfo.classes"
    )


def _said(meta: Mapping[str, Any], dataset: Any) -> Iterator[list[str]]:
    """What the checkpoint, the configuration and the kind of data set say."""
    kind = DATASETS.get(dataset.get("type"))
    for said in (meta.get("dataset_meta"), meta, dataset.get("metainfo"), getattr(kind, "METAINFO", None)):
        lower = {str(key).lower(): value for key, value in (said or {}).items()}
        names = lower.get("classes") or ()
        yield [names] if isinstance(names, str) else [str(name) for name in names]


class TrainedProposer:
    """A trained model as what proposes objects, see `ultrasam.predict.detections`.

    Args:
        trained: the model.
        score: leave out objects below it.
        title: what people know it by.
    """

    def __init__(self, trained: Trained, score: float, title: str) -> None:
        self._trained, self._score = trained, score
        self.title, self.names = title, trained.names

    @classmethod
    def load(cls, config: str | Path, checkpoint: str | Path, score: float) -> TrainedProposer:
        """A Mask2Former of ours, or any detector of MMDetection.

        Raises:
            UltraSamError: the files are of another kind of model, or ``score`` is no score.
        """
        if not 0 <= score <= 1:
            raise UltraSamError(f"scores of suggestions lie between 0 and 1, {score} does not")
        kind = read_model(find_config(str(config))).model.get("type")
        load: Callable[[str | Path, str | Path], Trained] = (
            Segmenter.load if kind == "InstanceSegmenter" else Detector.load
        )
        return cls(load(config, checkpoint), score, Path(config).stem)

    def propose(self, encoded: Encoded) -> Detections:
        """What the model finds in the pixels of the first image.

        Raises:
            UltraSamError: only the image's embedding is there.
        """
        if encoded.images is None:
            raise UltraSamError("a trained detector needs the image itself, and not its embedding alone")
        found = self._trained.find(encoded.images[0], self._score)
        boxes, scores, labels = (np.asarray(found.get(key)) for key in ("bboxes", "scores", "labels"))
        order = np.argsort(-scores, kind="stable")
        masks = np.asarray(found.masks)[order] if "masks" in found else None
        return Detections(boxes[order], scores[order], labels[order], masks)
