"""oneDNN's products: the same numbers as torch's own, only where they may be used."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from tests.kit.closeness import assert_same
from ultrasam.modeling.adapt.lora import LoRALinear
from ultrasam.modeling.kernels import products


@pytest.fixture(params=[True, False], ids=["onednn", "torch"])
def library(request):
    with products.forced(request.param):
        yield request.param


@torch.no_grad()
@pytest.mark.parametrize("shape", [(1, 5, 40), (2, 8, 9, 40), (3, 40)])
def test_linear_layers(library, shape):
    layer = products.FastLinear(40, 24)
    x = torch.randn(shape)
    assert_same(layer(x), F.linear(x, layer.weight, layer.bias))
    strided = torch.randn(40, 30).t()
    assert_same(products.linear(strided, layer.weight), strided @ layer.weight.t())


@torch.no_grad()
def test_what_layers_make_of_zeros(library):
    x, plain = torch.randn(40, 8), nn.Linear(8, 24)
    updated = LoRALinear(plain, rank=2, alpha=4.0, dropout=0.0, parts="qkv")
    nn.init.normal_(updated.lora_up[0])
    norm = nn.Sequential(plain, nn.LayerNorm(24))
    for layer in (products.FastLinear(8, 24), updated, norm):
        assert_same(products.of_zeros(layer, x), layer(torch.zeros(1, 8))[0])


@torch.no_grad()
def test_products_of_pairs(library):
    a, b = torch.randn(3, 20, 40), torch.randn(3, 50, 40)
    assert_same(products.transposed(a, b), a @ b.transpose(1, 2))
    assert_same(products.transposed(a, b[:1]), a @ b[:1].transpose(1, 2))
    turned = torch.randn(3, 40, 50)
    assert_same(products.transposed(a, turned.transpose(1, 2)), a @ turned)


def test_where_onednn_is_used(library):
    x = torch.randn(32, 8)
    assert not products.uses_onednn(x)
    with torch.no_grad():
        assert products.uses_onednn(x) == (library and products._works())
        assert not products.uses_onednn(x.half())
        with torch.autocast("cpu", torch.bfloat16):
            assert not products.uses_onednn(x)


def test_gradients_flow():
    layer = products.FastLinear(8, 8)
    with products.forced(True):
        layer(torch.randn(32, 8)).sum().backward()
    assert layer.weight.grad.abs().sum() > 0


@torch.no_grad()
def test_a_wrong_library_is_left_alone(monkeypatch, caplog):
    monkeypatch.setattr(products, "_onednn", lambda x, weight, bias: torch.zeros(len(x), len(weight)))
    products._works.cache_clear()
    x, weight = torch.randn(32, 8), torch.randn(4, 8)
    with products.forced(True):
        assert torch.equal(products.linear(x, weight), F.linear(x, weight))
        products.linear(x, weight)
    assert len(caplog.records) == 1 and "oneDNN" in caplog.text
    products._works.cache_clear()
