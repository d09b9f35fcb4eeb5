"""Advice where memory runs out: of a GPU, of the machine, and nothing else."""

import pytest
import torch

from ultrasam.errors import UltraSamError
from ultrasam.machine.memory import memory_advice


def test_out_of_memory_says_what_helps():
    words = r"out of memory \(.*in this order: one; two$"
    with pytest.raises(UltraSamError, match=words), memory_advice(["one", "", "two"]):
        torch.empty(2**48, dtype=torch.uint8)
    with pytest.raises(UltraSamError, match="Tried to allocate 20 GiB"), memory_advice(["--amp"]):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB\nmore")
    with pytest.raises(UltraSamError, match=r"out of memory \(MemoryError\)"), memory_advice(["--amp"]):
        raise MemoryError


def test_other_errors_are_left_alone():
    with pytest.raises(RuntimeError, match="inconsistent"), memory_advice(["--amp"]):
        torch.zeros(3) @ torch.zeros(4)
