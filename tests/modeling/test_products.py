"""oneDNN's products: the same numbers as torch's own, only where they may be used."""

import pytest
import torch
from torch.nn import functional as F

from ultrasam.modeling.kernels import products


@pytest.fixture(params=[True, False], ids=["onednn", "torch"])
def library(request):
    with products.forced(request.param):
        yield request.param


def close(a, b):
    return a.shape == b.shape and (a - b).norm() <= 1e-6 * b.norm()


@torch.no_grad()
@pytest.mark.parametrize("shape", [(1, 5, 40), (2, 8, 9, 40), (3, 40)])
def test_linear_layers(library, shape):
    layer = products.Linear(40, 24)
    x = torch.randn(shape)
    assert close(layer(x), F.linear(x, layer.weight, layer.bias))
    strided = torch.randn(40, 30).t()
    assert close(products.linear(strided, layer.weight), strided @ layer.weight.t())


@torch.no_grad()
def test_products_of_pairs(library):
    a, b = torch.randn(3, 20, 40), torch.randn(3, 50, 40)
    assert close(products.transposed(a, b), a @ b.transpose(1, 2))
    assert close(products.transposed(a, b[:1]), a @ b[:1].transpose(1, 2))
    turned = torch.randn(3, 40, 50)
    assert close(products.transposed(a, turned.transpose(1, 2)), a @ turned)


def test_where_onednn_is_used(library):
    x = torch.randn(32, 8)
    assert not products.usable(x)
    with torch.no_grad():
        assert products.usable(x) == (library and products._works())
        assert not products.usable(x.half())
        with torch.autocast("cpu", torch.bfloat16):
            assert not products.usable(x)


def test_gradients_flow():
    layer = products.Linear(8, 8)
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
