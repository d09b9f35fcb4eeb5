"""From image tokens to mask logits."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from ultrasam.modeling.kernels.products import linear, transposed


def mask_logits(upscaling: nn.Sequential, image: Tensor, size: Sequence[int], kernels: Tensor) -> Tensor:
    """Each kernel's product with the map that ``upscaling`` makes: (N, M, 4h, 4w).

    A transposed convolution whose kernel is its stride makes four cells of each cell by itself: a linear
    layer. So channels stay last, which norm and products like, and only the logits are put in order.

    Args:
        upscaling: transposed convolution, `LayerNorm2d`, activation, convolution, activation: (N, C, h, w) ->
            (N, C', 4h, 4w).
        image: (N, h*w, C) tokens.
        size: (h, w).
        kernels: (N, M, C').
    """
    first, norm, activation, second, _ = upscaling
    x = norm(_fourfold(image, first).permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
    x = _fourfold(activation(x), second)
    # Rows are (y, x, dy, dx, ddy, ddx).
    logits = transposed(activation(x).flatten(1, 3), kernels).unflatten(1, (*size, 2, 2, 2, 2))
    return logits.permute(0, 7, 1, 3, 5, 2, 4, 6).flatten(5, 7).flatten(2, 4)


def _fourfold(x: Tensor, layer: nn.Module) -> Tensor:
    """A 2 x 2 transposed convolution of stride 2 on channels-last cells, (..., C) -> (..., 4, C')."""
    weight, bias = layer.get_parameter("weight"), layer.get_parameter("bias")
    out = linear(x, weight.permute(2, 3, 1, 0).flatten(0, 2), bias.repeat(4))
    return out.unflatten(-1, (4, weight.shape[1]))
