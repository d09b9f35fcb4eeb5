"""One map of a ViT to the levels that detectors expect."""

from __future__ import annotations

from torch import Tensor, nn

from ultrasam.modeling.layers import LayerNorm2d


class Pyramid(nn.Module):
    """A map of stride 16 to four of strides 4, 8, 16 and 32.

    The simple feature pyramid (Li et al. 2022, ViTDet): each level is made from the last map alone, by
    transposed convolutions, as it is, or by pooling, and brought to ``channels`` by a 1 x 1 and a 3 x 3
    convolution.

    Args:
        width: channels of the map.
        channels: channels of every level.
    """

    def __init__(self, width: int, channels: int = 256) -> None:
        super().__init__()
        self.levels = nn.ModuleList(
            nn.Sequential(*resize, *_mix(inside, channels))
            for resize, inside in (
                (
                    (
                        nn.ConvTranspose2d(width, width // 2, 2, stride=2),
                        LayerNorm2d(width // 2),
                        nn.GELU(),
                        nn.ConvTranspose2d(width // 2, width // 4, 2, stride=2),
                    ),
                    width // 4,
                ),
                ((nn.ConvTranspose2d(width, width // 2, 2, stride=2),), width // 2),
                ((), width),
                ((nn.MaxPool2d(2, ceil_mode=True),), width),
            )
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        """(B, W, h, w) -> (B, C, 4h, 4w), (B, C, 2h, 2w), (B, C, h, w), (B, C, h/2, w/2)."""
        return [level(x) for level in self.levels]


def _mix(inside: int, channels: int) -> list[nn.Module]:
    return [
        nn.Conv2d(inside, channels, 1, bias=False),
        LayerNorm2d(channels),
        nn.Conv2d(channels, channels, 3, padding=1, bias=False),
        LayerNorm2d(channels),
    ]
