"""Attention between token sets: the definition is segment-anything's, the variants are the definition."""

import pytest
import torch
from segment_anything.modeling.transformer import Attention as Peer

from ultrasam.modeling.kernels import cross_attention, products
from ultrasam.modeling.transformer import Attention


@pytest.fixture(params=[True, False], ids=["onednn", "torch"], autouse=True)
def _library(request):
    with products.forced(request.param):
        yield


@pytest.fixture
def layer():
    made = Attention(32, 4, 2)
    for p in made.parameters():
        torch.nn.init.normal_(p, std=0.3)
    return made


def close(a, b):
    return a.shape == b.shape and (a - b).norm() <= 1e-5 * b.norm()


@pytest.mark.parametrize(("queries", "keys"), [(5, 5), (3, 40), (40, 3)])
@torch.no_grad()
def test_the_definition_is_segment_anythings(layer, queries, keys):
    peer = Peer(32, 4, 2)
    peer.load_state_dict(layer.state_dict())
    q, k, v = (torch.randn(2, n, 32) for n in (queries, keys, keys))
    expected = peer(q, k, v)
    assert close(cross_attention.plain(layer, q, k, v), expected)
    assert close(layer(q, k, v), expected)
    hidden = torch.arange(keys).expand(2, -1) < 2
    assert close(cross_attention.plain(layer, q, k, v, hidden), peer(q, k[:, :2], v[:, :2]))


@torch.no_grad()
def test_few_tokens_on_one_side(layer):
    few, many, others = torch.randn(2, 3, 32), torch.randn(2, 40, 32), torch.randn(2, 40, 32)
    expected = cross_attention.plain(layer, few, many, others)
    assert close(cross_attention.few_queries(layer, few, many, others), expected)
    tokens, mask = torch.randn(2, 3, 32), torch.tensor([[True, True, False], [True, False, True]])
    for shown in (None, mask):
        expected = cross_attention.plain(layer, many, few, tokens, shown)
        assert close(cross_attention.few_keys(layer, many, few, tokens, shown), expected)


def test_which_variant_answers(layer, monkeypatch):
    for name in ("plain", "few_queries", "few_keys"):
        monkeypatch.setattr(cross_attention, name, lambda *args, name=name: name)
    few, many = torch.randn(1, 3, 32), torch.randn(1, 40, 32)
    mask = torch.ones(1, 40, dtype=torch.bool)
    assert layer(few, many, many) == "plain"
    with torch.no_grad():
        assert layer(few, many, many) == "few_queries"
        assert layer(many, few, few) == "few_keys"
        assert layer(few, many, many, mask) == "plain"
        assert layer(few, few, few) == "plain"
        assert layer(torch.randn(1, 4, 32), many, many) == "plain", "as wide as the projections themselves"
