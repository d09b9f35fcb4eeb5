"""Some tokens at a time: every token is seen once, in its place, and never too many together."""

import pytest
import torch

from ultrasam.modeling.kernels import parts


@pytest.fixture
def seen(monkeypatch):
    monkeypatch.setattr(parts, "TOKENS_TOGETHER", 60)
    return []


def noting(seen):
    def work(x):
        seen.append(tuple(x.shape))
        return x * 2 + 1

    return work


@torch.no_grad()
def test_tokens(seen):
    x = torch.randn(2, 7, 11, 3)
    assert torch.equal(parts.by_tokens(noting(seen), x), x * 2 + 1)
    assert seen == [(60, 3), (60, 3), (34, 3)]
    seen.clear()
    assert torch.equal(parts.by_tokens(noting(seen), x[:, :2]), x[:, :2] * 2 + 1)
    assert seen == [(2, 2, 11, 3)]


@torch.no_grad()
def test_tokens_that_are_not_needed_any_more(seen):
    x = torch.randn(2, 7, 11, 3)
    expected = x * 2 + 1
    assert torch.equal(parts.by_tokens(noting(seen), x.clone(), spent=True), expected)
    found = parts.by_tokens(noting(seen), x, spent=True)
    assert torch.equal(found, expected) and found.data_ptr() == x.data_ptr()
    assert parts.by_tokens(noting(seen), x).data_ptr() != x.data_ptr()


@torch.no_grad()
@pytest.mark.parametrize(
    ("window", "rows"), [(2, [2, 2, 2, 1]), (3, [3, 3, 1]), (5, [5, 2]), (7, [7]), (0, [7])]
)
def test_rows_of_windows(seen, window, rows):
    x = torch.randn(2, 7, 11, 3)
    assert torch.equal(parts.by_window_rows(noting(seen), x, window), x * 2 + 1)
    assert seen == [(2, n, 11, 3) for n in rows]


def test_with_gradients_all_at_once(seen):
    x = torch.randn(2, 7, 11, 3)
    parts.by_tokens(noting(seen), x)
    parts.by_window_rows(noting(seen), x, 2)
    assert seen == [tuple(x.shape)] * 2
