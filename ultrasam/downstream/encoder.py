"""The image encoder as a plain module for other projects."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from torch import Tensor, nn

from ultrasam import preprocess
from ultrasam.checkpoints.loading import load_image_encoder, read_encoder
from ultrasam.errors import CheckpointError, ConfigError
from ultrasam.modeling.sam import ImageEncoder
from ultrasam.preprocess import Normalization

Output = Literal["map", "pooled", "layers"]


class Encoder(nn.Module):
    """Images to features; sides of the input are multiples of the patch, of any size.

    Args:
        encoder: the image encoder.
        output: ``map`` for the embedding (B, C, h, w) behind the neck, ``pooled`` for the mean of the last
            block's tokens (B, width), ``layers`` for the maps (B, width, h, w) of some blocks.
        layers: numbers of these blocks, from 0; negative ones count from the end.
        normalize: take RGB in 0..255 instead of what `preprocess.normalize` makes of it.
        normalization: how it does so.
    """

    def __init__(
        self,
        encoder: ImageEncoder,
        output: Output = "map",
        layers: Sequence[int] = (),
        normalize: bool = False,
        normalization: Normalization = "imagenet",
    ) -> None:
        super().__init__()
        depth = len(encoder.widths)
        if output not in ("map", "pooled", "layers"):
            raise ConfigError(f"output must be 'map', 'pooled' or 'layers', got {output!r}")
        if any(not -depth <= n < depth for n in layers) or (output == "layers") != bool(layers):
            raise ConfigError(f"layers must name blocks from 0 to {depth - 1}, and only for output='layers'")
        self.encoder = encoder
        self.output: Output = output
        self.layers = sorted(n % depth for n in layers)
        self.normalize = normalize
        self.normalization: Normalization = normalization

    @property
    def channels(self) -> list[int]:
        """Channels of each output."""
        widths = self.encoder.widths
        if self.output == "layers":
            return [widths[number] for number in self.layers]
        return [
            widths[-1] if self.output == "pooled" else self.encoder.neck.get_parameter("0.weight").shape[0]
        ]

    def forward(self, images: Tensor) -> Tensor | list[Tensor]:
        """Images (B, 3, H, W) to features; see the class."""
        if self.normalize:
            images = preprocess.normalize(images, self.normalization)
        if self.output == "map":
            return self.encoder(images)
        if self.output == "pooled":
            return self.encoder.intermediate(images, [len(self.encoder.widths) - 1])[0].mean(dim=(2, 3))
        return self.encoder.intermediate(images, self.layers)


def load_encoder(
    path: str | Path,
    *,
    img_size: int | None = None,
    output: Output = "map",
    layers: Sequence[int] = (),
    normalize: bool = False,
) -> Encoder:
    """The image encoder of a weight file of any format, also of files that hold no decoder.

    Args:
        path: as in `ultrasam.load`; also encoders of timm and mmpretrain, and backbones of the published
            classifiers.
        img_size: bring the position tables to this input size for good; without it they are adapted to
            every input as it comes.
        output: see `Encoder`.
        layers: see `Encoder`.
        normalize: see `Encoder`.

    Raises:
        CheckpointError: there is no encoder of this kind in the file, or ``output`` needs the neck and the
            file has none.
    """
    encoder = load_image_encoder(path, img_size=img_size)
    if output == "map" and not len(encoder.neck):
        raise CheckpointError(f"{path}: the file has no neck: choose output='pooled' or 'layers'")
    how = read_encoder(path)[0].usage.normalization if normalize else "imagenet"
    return Encoder(encoder, output, layers, normalize, how)
