"""Mask logits against the transposed convolutions as they are."""

import pytest
import torch

from ultrasam.modeling.kernels import products
from ultrasam.modeling.kernels.upscaling import mask_logits
from ultrasam.modeling.mask_decoder import MaskDecoder
from ultrasam.modeling.transformer import TwoWayTransformer


@pytest.mark.parametrize("onednn", [True, False])
@pytest.mark.parametrize("training", [True, False])
def test_against_the_convolutions(onednn, training):
    decoder = MaskDecoder(transformer=TwoWayTransformer(embedding_dim=32, num_heads=2), transformer_dim=32)
    upscaling = decoder.output_upscaling
    for p in upscaling.parameters():
        torch.nn.init.normal_(p)
    image, kernels = torch.randn(2, 15, 32), torch.randn(2, 3, 4)
    inputs = [image.requires_grad_(), kernels.requires_grad_(), *upscaling.parameters()]
    maps = upscaling(image.transpose(1, 2).unflatten(2, (5, 3)))
    expected = (kernels @ maps.flatten(2)).unflatten(2, (20, 12))
    with products.forced(onednn), torch.set_grad_enabled(training):
        found = mask_logits(upscaling, image, (5, 3), kernels)
    assert found.shape == (2, 3, 20, 12)
    assert (found - expected).norm() <= 1e-5 * expected.norm()
    if training:
        weight = torch.randn(found.shape)
        grads = [torch.autograd.grad((out * weight).sum(), inputs) for out in (found, expected)]
        assert all((a - b).norm() <= 1e-4 * b.norm() for a, b in zip(*grads, strict=True))
