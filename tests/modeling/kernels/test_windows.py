"""Windows against cutting them out one by one, with and without a graph."""

import pytest
import torch

from ultrasam.modeling.kernels.windows import window_partition, window_unpartition

GRIDS = [((5, 7), (3, 2)), ((6, 8), (3, 4)), ((4, 4), (9, 5)), ((7, 9), (7, 9))]


@pytest.mark.parametrize("graph", [True, False])
@pytest.mark.parametrize(("size", "side"), GRIDS)
def test_there_and_back(size, side, graph):
    x, blank = torch.randn(2, *size, 3), torch.randn(3)
    with torch.set_grad_enabled(graph):
        windows = window_partition(x, side, blank)
        assert torch.equal(window_unpartition(windows, size), x)
    expected = []
    for image in x:
        for top in range(0, size[0], side[0]):
            for left in range(0, size[1], side[1]):
                part = image[top : top + side[0], left : left + side[1]]
                window = blank.repeat(*side, 1)
                window[: part.shape[0], : part.shape[1]] = part
                expected.append(window)
    assert torch.equal(windows, torch.stack(expected))


def test_gradients_reach_tokens_and_the_blank_one():
    x, blank = torch.randn(2, 5, 7, 3, requires_grad=True), torch.randn(3, requires_grad=True)
    windows = window_partition(x, (3, 2), blank)
    windows.sum().backward()
    assert torch.equal(x.grad, torch.ones_like(x))
    assert torch.equal(blank.grad, torch.full((3,), float(windows.numel() - x.numel()) / 3))
