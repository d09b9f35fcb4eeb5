"""Matrix products of inference, by oneDNN where that is the quicker library for the processor.

torch gives float32 products to MKL, which runs general code on processors that Intel did not make. oneDNN is
part of the same torch and writes its code for the processor at hand: on an AMD EPYC of 2024 it is twice as
fast. Both compute in float32; results differ by rounding. Training, other devices and other dtypes, and
graphs that are traced, compiled or exported, always take torch's own product.
"""

from __future__ import annotations

import logging
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

logger = logging.getLogger(__name__)

# With fewer rows, calling oneDNN takes longer than multiplying.
_LEAST_ROWS = 16
# None: as the processor is; else what `forced` says.
_forced: bool | None = None


class FastLinear(nn.Linear):
    """`nn.Linear` through `linear`."""

    def forward(self, input: Tensor) -> Tensor:
        """(..., in) -> (..., out)."""
        return linear(input, self.weight, self.bias)


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Rows x (..., K) times weight (N, K), plus bias (N,): (..., N)."""
    if x.numel() >= _LEAST_ROWS * x.shape[-1] and uses_onednn(x):
        return _onednn(x, weight, bias)
    return F.linear(x, weight, bias)


def of_zeros(layer: nn.Module, x: Tensor) -> Tensor:
    """What a layer makes of a token of zeros among those of ``x`` (..., K): (N,)."""
    return layer.bias if type(layer) is FastLinear else layer(x.new_zeros(1, x.shape[-1]))[0]


def transposed(a: Tensor, b: Tensor) -> Tensor:
    """Each a (N, M, K) times its b (N, P, K) transposed: (N, M, P); one of both may serve all (N = 1)."""
    if not uses_onednn(a) or not len(a):
        return a @ b.transpose(-2, -1)
    n = max(len(a), len(b))
    out = [_onednn(x, y, None) for x, y in zip(a.expand(n, -1, -1), b.expand(n, -1, -1), strict=True)]
    return torch.stack(out) if n > 1 else out[0][None]


def uses_onednn(x: Tensor) -> bool:
    """Whether products with ``x`` go to oneDNN."""
    return is_float32_inference(x) and (_wins() if _forced is None else _forced and _works())


def is_float32_inference(x: Tensor) -> bool:
    """`is_cpu_inference` in float32, with no autocast to anything else."""
    return is_cpu_inference(x) and x.dtype == torch.float32 and not torch.is_autocast_enabled("cpu")


def is_cpu_inference(x: Tensor) -> bool:
    """Whether ``x`` is computed right here: inference on a CPU, and no graph is being recorded."""
    return (
        x.device.type == "cpu"
        and not torch.is_grad_enabled()
        and not torch.compiler.is_compiling()
        and not torch.jit.is_tracing()
    )


@contextmanager
def forced(onednn: bool) -> Iterator[None]:
    """Products by oneDNN, or by torch's own choice, whatever the processor: for tests and measurements."""
    global _forced
    before, _forced = _forced, onednn
    try:
        yield
    finally:
        _forced = before


def _onednn(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    return torch.ops.mkldnn._linear_pointwise(_dense(x), _dense(weight), bias, "none", [], "")


def _dense(x: Tensor) -> Tensor:
    """Without gaps between rows or columns: with gaps, oneDNN takes its slow reference code."""
    return x if x.is_contiguous() or (x.ndim == 2 and x.t().is_contiguous()) else x.contiguous()


@lru_cache(maxsize=1)
def _wins() -> bool:
    """A processor that oneDNN was measured to be quicker on, and a torch that has it."""
    return platform.machine() in ("x86_64", "AMD64") and "AuthenticAMD" in _processor() and _works()


@lru_cache(maxsize=1)
def _works() -> bool:
    """Whether this torch has the operator, and it computes what it should."""
    x = torch.linspace(-1, 1, 64 * 48).view(64, 48)
    weight, bias = x.flip(0).sin(), x[:, 0].contiguous()
    try:
        found = _onednn(x, weight, bias)
    except (AttributeError, RuntimeError, TypeError) as error:
        logger.warning("matrix products without oneDNN: %s", str(error).splitlines()[0])
        return False
    expected = F.linear(x, weight, bias)
    if (found - expected).norm() <= 1e-5 * expected.norm():
        return True
    logger.warning("matrix products without oneDNN: its results are wrong on this machine")
    return False


def _processor() -> str:
    """Who made the processor, in whatever words the system has."""
    try:
        return Path("/proc/cpuinfo").read_text()[:1000]
    except OSError:
        return platform.processor()
