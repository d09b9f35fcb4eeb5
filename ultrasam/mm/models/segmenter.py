"""Mask2Former on any of our backbones, with a decoder start that says what it loaded."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

from mmdet.models import Mask2Former
from mmdet.registry import MODELS
from mmengine.config import ConfigDict
from mmengine.logging import print_log

from ultrasam import checkpoints
from ultrasam.checkpoints.loading import load_into
from ultrasam.checkpoints.reading import errors_name
from ultrasam.errors import CheckpointError, ConfigError

_HEAD = "panoptic_head."


@MODELS.register_module()
class InstanceSegmenter(Mask2Former):
    """Mask2Former for instances alone (Cheng et al. 2022).

    Args:
        num_classes: classes of objects; wherever MMDetection's parts need it, it is filled in.
        panoptic_head: MMDetection's ``Mask2FormerHead``.
        test_cfg: ``max_per_image`` and so on.
        decoder: where the decoder starts: ``path`` of a Mask2Former of MMDetection, or ``mask2former_coco``.
        kwargs: of MMDetection's ``Mask2Former``.
    """

    def __init__(
        self,
        num_classes: int,
        panoptic_head: dict[str, Any],
        test_cfg: dict[str, Any] | None = None,
        decoder: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        if num_classes < 1:
            raise ConfigError("the model has no classes to find: 'classes' of the data set is empty")
        head = ConfigDict(deepcopy(panoptic_head))
        counts = {"num_things_classes": num_classes, "num_stuff_classes": 0}
        head.update(counts)
        # No object: a tenth of the weight.
        head.loss_cls.class_weight = [1.0] * num_classes + [0.1]
        most = num_classes * head.num_queries
        test = ConfigDict(panoptic_on=False, semantic_on=False, instance_on=True, **(test_cfg or {}))
        test.max_per_image = min(test.get("max_per_image", 100), most)
        fusion = ConfigDict(type="MaskFormerFusionHead", loss_panoptic=None, init_cfg=None, **counts)
        super().__init__(panoptic_head=head, panoptic_fusion_head=fusion, test_cfg=test, **kwargs)
        self.decoder_weights = (decoder or {}).get("path")

    def init_weights(self) -> None:
        """Draw what is drawn at random, then load the decoder: the head would overwrite it."""
        super().init_weights()
        if self.decoder_weights:
            print_log(load_decoder(self, self.decoder_weights), logger="current")

    def load_weights(self, path: str, fold_residual: bool | None = None) -> None:
        """Load a checkpoint of this model, strictly; ``fold_residual`` means nothing here."""
        with errors_name(Path(path)):
            report = load_into(self, checkpoints.read(path), "Mask2Former", str(path))
        print_log(str(report), logger="current")


def load_decoder(model: InstanceSegmenter, path: str | Path) -> str:
    """Load the pixel decoder and transformer decoder of another Mask2Former as far as shapes agree.

    Returns:
        What was loaded and what was not.

    Raises:
        CheckpointError: less than half of the decoder could be loaded, so this is not its start.
    """
    path = checkpoints.resolve(path)
    own = {n: v for n, v in model.state_dict().items() if n.startswith(_HEAD)}
    state = checkpoints.read(path)
    # Both layouts are met: a whole detector, and a head alone.
    found = {n if n.startswith(_HEAD) else _HEAD + n: v for n, v in state.items()}
    fitting = {n: found[n] for n in own if n in found and found[n].shape == own[n].shape}
    other = [n.removeprefix(_HEAD) for n in own if n in found and n not in fitting]
    missing = [n.removeprefix(_HEAD) for n in own if n not in found]
    text = f"decoder of {path}: {len(fitting)} of {len(own)} tensors loaded"
    for reason, names in (("of another shape", other), ("not in the file", missing)):
        if names:
            text += f"; {len(names)} {reason}: {', '.join(names[:6])}{', ...' if len(names) > 6 else ''}"
    if 2 * len(fitting) < len(own):
        raise CheckpointError(
            f"{text}. This is no start for this decoder: take a Mask2Former of MMDetection of the same size, "
            "or set model.decoder.path=None to start at random"
        )
    model.load_state_dict(fitting, strict=False)
    return text
