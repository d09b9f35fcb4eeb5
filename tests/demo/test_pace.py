"""The arithmetic that is measured to be quicker, and not the one that the CPU's name promises."""

import pytest
import torch

from ultrasam.demo import pace


@pytest.mark.parametrize(
    ("bfloat16", "pays"), [(0.3, True), (0.79, True), (0.81, False), (1.0, False), (30.0, False)]
)
def test_bfloat16_has_to_be_quicker_by_a_fifth(monkeypatch, bfloat16, pays):
    seconds = {torch.bfloat16: bfloat16, torch.float32: 1.0}
    monkeypatch.setattr(pace, "_seconds", lambda left, right, repeats: seconds[left.dtype])
    assert pace.bfloat16_pays() is pays


def test_a_larger_product_takes_longer():
    small, large = torch.randn(32, 32), torch.randn(1024, 1024)
    assert 0 < pace._seconds(small, small, 5) < pace._seconds(large, large, 5)
