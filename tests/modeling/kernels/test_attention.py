"""Attention's variants against its definition, and what runs where."""

import pytest
import torch

from tests.kit.closeness import assert_same
from ultrasam.modeling.kernels import attention, products

GRIDS = [(64, 64), (8, 8), (6, 10)]
OTHERS = [name for name in attention.IMPLEMENTATIONS if name != "plain"]


def tensors(size, d=16):
    h, w = size
    g, heads = (1, 1) if h == 64 else (2, 2)
    shapes = [(g, heads, h * w, d)] * 3 + [(2 * h - 1, d), (2 * w - 1, d)]
    return [torch.randn(s).requires_grad_() for s in shapes]


def call(variant, inputs, size):
    return variant(*inputs[:3], tuple(inputs[3:]), size)


@pytest.fixture(autouse=True)
def _afresh():
    attention._tell.cache_clear()
    attention._broken.clear()
    yield
    attention._broken.clear()


@pytest.fixture
def uncompiled(monkeypatch):
    """FlexAttention by its own reference code: the same function, without a compiler."""
    from torch.nn.attention.flex_attention import flex_attention

    monkeypatch.setattr(attention, "_flex_kernel", lambda: flex_attention)


@pytest.mark.parametrize("size", GRIDS)
@pytest.mark.parametrize("name", OTHERS)
def test_variants_equal_the_plain_one(name, size, monkeypatch, uncompiled):
    monkeypatch.setattr(attention, "CHUNKED_QUERIES", 40)
    monkeypatch.setattr(attention, "BY_HEAD_QUERIES", 48 if size != (64, 64) else 1000)
    inputs = tensors(size)
    if name in ("flex", "in_cache"):  # no backward on a CPU
        inputs = [t.detach() for t in inputs]
    weight = torch.randn(inputs[0].shape)
    answers = []
    for variant in (attention.plain, attention.IMPLEMENTATIONS[name]):
        out = call(variant, inputs, size)
        grads = torch.autograd.grad((out * weight).sum(), inputs) if out.requires_grad else []
        answers.append([out, *grads])
    assert not attention._broken
    for expected, found in zip(*answers, strict=True):
        assert_same(found, expected)


@torch.no_grad()
@pytest.mark.parametrize("logits", [1, 7 * 60, 60 * 60])
def test_whatever_the_cache_holds(logits, monkeypatch):
    monkeypatch.setattr(attention, "CACHED_LOGITS", logits)
    # As the network has them: tokens before heads.
    inputs = [torch.randn(2, 60, 3, 8).transpose(1, 2) for _ in "qkv"] + [
        torch.randn(11, 8),
        torch.randn(19, 8),
    ]
    before = [t.clone() for t in inputs]
    found = call(attention.in_cache, inputs, (6, 10))
    assert_same(found, call(attention.plain, inputs, (6, 10)))
    assert found.transpose(1, 2).is_contiguous()
    assert all(torch.equal(a, b) for a, b in zip(inputs, before, strict=True))


@torch.no_grad()
def test_by_head_with_onednn():
    inputs = tensors((20, 20))
    with products.forced(True):
        found = call(attention.by_head, inputs, (20, 20))
    assert_same(found, call(attention.plain, inputs, (20, 20)))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU; its twin is uncompiled, above")
@pytest.mark.parametrize("name", OTHERS)
def test_variants_on_a_gpu(name):
    inputs = [t.detach().cuda().requires_grad_() for t in tensors((64, 64))]
    answers = []
    for variant in (attention.plain, attention.IMPLEMENTATIONS[name]):
        out = call(variant, inputs, (64, 64))
        answers.append([out, *torch.autograd.grad(out.square().sum(), inputs)])
    assert not attention._broken
    for expected, found in zip(*answers, strict=True):
        assert_same(found, expected)


def test_what_runs_on_a_cpu():
    large, small = torch.randn(1, 1, 400, 16), torch.randn(1, 1, 196, 16)
    with torch.no_grad(), products.forced(True):
        # Not every processor's torch has oneDNN.
        best = attention.by_head if products.uses_onednn(large) else attention.chunked
        assert attention.choose(large, (20, 20)) is best
        assert attention.choose(small, (14, 14)) is attention.chunked
    with torch.no_grad(), products.forced(False):
        assert attention.choose(large, (20, 20)) is attention.in_cache
        with torch.autocast("cpu", torch.bfloat16):
            assert attention.choose(large, (20, 20)) is attention.chunked
            assert attention.choose(large, (20, 20), "in_cache") is attention.chunked
    assert attention.choose(large, (20, 20)) is attention.chunked
    assert attention.choose(large.requires_grad_(), (20, 20)) is attention.plain
    assert attention.choose(large, (20, 20), "chunked") is attention.chunked


@torch.no_grad()
def test_the_call_of_the_network():
    inputs = [t.detach() for t in tensors((6, 10))]
    for name, variant in (("plain", attention.plain), (None, attention.chunked)):
        with products.forced(False):
            found = attention.attend(*inputs[:3], tuple(inputs[3:]), (6, 10), name)
        assert torch.equal(found, call(variant, inputs, (6, 10)))


@pytest.mark.parametrize(
    ("query", "words"),
    [
        (torch.randn(1, 1, 64, 16, requires_grad=True), "no gradients"),
        (torch.randn(1, 1, 64, 16, dtype=torch.float64), "float64"),
        (torch.randn(1, 1, 64, 24), "24 channels"),
        (torch.randn(1, 1, 64, 16, device="meta"), "meta"),
    ],
)
def test_what_cannot_run_is_replaced_and_told_once(query, words, caplog):
    for _ in range(3):
        assert attention.choose(query, (8, 8), "flex") is attention.concatenated
    assert len(caplog.records) == 1 and words in caplog.text


@torch.no_grad()
def test_a_compiler_that_fails(monkeypatch, caplog):
    def kernel(*args, **kwargs):
        raise RuntimeError("no compiler found\nand a long story")

    monkeypatch.setattr(attention, "_flex_kernel", lambda: kernel)
    inputs = [t.detach() for t in tensors((8, 8))]
    for _ in range(2):
        found = call(attention.flex, inputs, (8, 8))
        assert torch.equal(found, call(attention.concatenated, inputs, (8, 8)))
    assert len(caplog.records) == 1 and "no compiler found" in caplog.text
    assert attention.choose(inputs[0], (8, 8), "flex") is attention.concatenated
