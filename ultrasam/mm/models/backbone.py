"""Our image encoder and ResNet as MMDetection backbones whose start weights load strictly or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmdet.models.backbones import ResNet
from mmdet.registry import MODELS
from mmengine.logging import print_log
from mmengine.model import BaseModule
from torch import Tensor, nn

from ultrasam import checkpoints
from ultrasam.checkpoints.loading import load_into, load_start
from ultrasam.checkpoints.reading import errors_name
from ultrasam.downstream.pyramid import Pyramid
from ultrasam.errors import ConfigError
from ultrasam.modeling.adapt import tuning
from ultrasam.modeling.build import build_ultrasam
from ultrasam.modeling.image_encoder import ImageEncoderViT


@MODELS.register_module()
class PyramidNeck(Pyramid):
    """`Pyramid` as a neck: it takes the last of a backbone's maps."""

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:  # type: ignore[override]
        """Maps of which the last is (B, W, h, w) -> four levels."""
        return super().forward(maps[-1])


@MODELS.register_module()
class UltraSamBackbone(BaseModule):
    """The image encoder without its neck: images (B, 3, H, W) -> maps (B, W, H/16, W/16) of some blocks.

    Args:
        variant: see `build_ultrasam`.
        img_size: S, side of the input that position tables are made for.
        layers: numbers of the blocks whose outputs are given, from 0; negative ones count from the end.
        weights: where training starts: ``path`` of any weight file that holds the encoder, or a name.
        frozen: do not train it.
        adapt: train a few new parameters of it only, arguments of `ultrasam.modeling.adapt.adapt`.
        checkpointing: recompute activations in the backward pass to save memory.
        init_cfg: not used; weights come by ``weights``.
    """

    def __init__(
        self,
        variant: str = "vit_b",
        img_size: int | None = None,
        layers: Sequence[int] = (-1,),
        weights: dict[str, Any] | None = None,
        frozen: bool = False,
        adapt: dict[str, Any] | None = None,
        checkpointing: bool = False,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        self.encoder = build_ultrasam(variant, img_size=img_size, checkpointing=checkpointing).image_encoder
        if not isinstance(self.encoder, ImageEncoderViT):
            raise ConfigError(f"the backbone takes a plain ViT, whose maps are of one size, not {variant}")
        self.encoder.neck = nn.Sequential()
        depth = len(self.encoder.blocks)
        if not layers or any(not -depth <= number < depth for number in layers):
            raise ConfigError(f"layers must name blocks from 0 to {depth - 1}, got {list(layers)}")
        self.layers = sorted(number % depth for number in layers)
        self.width = self.encoder.pos_embed.shape[-1]
        self.frozen = frozen
        if weights and weights.get("path"):
            print_log(f"start weights: {load_start(self.encoder, weights['path'])}", logger="current")
        # What lies behind the last map given would only take time and, trained with others, a check.
        self.encoder.blocks = self.encoder.blocks[: self.layers[-1] + 1]
        self.requires_grad_(not frozen)
        if adapt:
            tuning.adapt(self.encoder, **adapt)
            print_log(f"encoder: {tuning.trained_parameters(self.encoder)}", logger="current")

    def init_weights(self) -> None:
        """Nothing: weights are as built, or as loaded."""

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Normalized images -> one map for each of ``layers``, in ascending order."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            return tuple(self.encoder.intermediate(images, self.layers))


@MODELS.register_module()
class ResNetBackbone(ResNet):
    """MMDetection's ResNet, started from a torchvision file that has to fit.

    Args:
        weights: ``path`` of a ResNet of torchvision, or ``resnet50``, which is fetched.
        frozen: do not train it.
        kwargs: of MMDetection's ``ResNet``.
    """

    def __init__(self, weights: dict[str, Any] | None = None, frozen: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.width = self.feat_dim
        if weights and weights.get("path"):
            path = checkpoints.resolve(weights["path"])
            state = {n: v for n, v in checkpoints.read(path).items() if not n.startswith("fc.")}
            # Counted by torch in training alone; old files lack it.
            own = {n: v for n, v in self.state_dict().items() if n.endswith("num_batches_tracked")}
            with errors_name(path, f" is no ResNet-{self.depth} of torchvision: "):
                report = load_into(self, {**own, **state}, "resnet", str(path))
            print_log(f"start weights: {report}", logger="current")
        if frozen:
            self.requires_grad_(False)

    def init_weights(self) -> None:
        """Nothing: weights are as built, or as loaded."""
