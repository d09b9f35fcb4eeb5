"""How close is close: bounds on float32 results that hold on every processor.

Float32 rounds every sum, and the order of the sums follows from the processor's vectors and cache, the
number of threads and the library's version. Two right answers differ by that rounding. It grows with the
depth of what is computed and with the size of the numbers, so no absolute bound holds everywhere. A mistake
(half a pixel, a missing bias, half precision) moves results by a hundred times as much and more.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

#: What two float32 ways to one result may differ by, as a share of the result. The networks of the tests are
#: 1e-6 away from float64 in norm and 2.5e-6 in their worst element, with AVX-512, AVX2 and SSE alike, so two
#: of them are at most twice that from each other; bfloat16 rounds by 4e-3, TF32 by 5e-4.
ROUNDING = 1e-5
#: How much farther from float64 than a peer ours may be. Where the peer happens to have the better order of
#: sums, ours was 1.7 times as far in norm, and 3.1 times in the worst of 100,000 elements.
FACTOR = 4
#: The peer's error counts as at least this share of the result, eight roundings: with a few numbers it may be
#: exact by luck.
LUCK = 2.0**-20
#: The share of a mask's pixels whose logit may be within rounding of zero: some 1e-5, where logits have a
#: spread of several units.
ON_THRESHOLD = 1e-4


def assert_as_exact(found: ArrayLike, peer: ArrayLike, exact: ArrayLike) -> None:
    """Ours is no farther from a float64 reference than the peer's float32, but for the order of the sums.

    Args:
        found: ours, float32.
        peer: the peer's, float32.
        exact: the peer's, computed in float64.
    """
    ours, theirs, truth = (_numbers(values) for values in (found, peer, exact))
    assert ours.shape == theirs.shape == truth.shape
    for name, size in _SIZES.items():
        error, yardstick = size(ours - truth), size(theirs - truth)
        assert yardstick <= ROUNDING * size(truth), f"the peer is off itself by {yardstick / size(truth):.1e}"
        allowed = FACTOR * max(yardstick, LUCK * size(truth))
        assert error <= allowed, f"{name}: {error:.2e} from float64, the peer {yardstick:.2e}"


def assert_same(
    found: ArrayLike, expected: ArrayLike, rounding: float = ROUNDING, scale: float | None = None
) -> None:
    """Two float32 ways to one result differ by rounding alone.

    Args:
        found: numbers.
        expected: numbers of the same shape.
        rounding: what they may differ by, as a share of the size of what was expected.
        scale: that size, for numbers near zero that are differences of larger ones.
    """
    ours, theirs = _numbers(found), _numbers(expected)
    assert ours.shape == theirs.shape
    for name, size in _SIZES.items():
        # A norm grows with the number of elements.
        least = 0.0 if scale is None else scale * size(torch.ones_like(theirs))
        error, allowed = size(ours - theirs), rounding * max(size(theirs), least)
        assert error <= allowed, f"{name}: they differ by {error:.2e}, {allowed:.2e} would be rounding"


def assert_same_masks(found: ArrayLike, expected: ArrayLike, logits: ArrayLike | None = None) -> None:
    """Masks differ at most where the logit is within rounding of the threshold.

    Args:
        found: masks, bool.
        expected: masks of the same shape.
        logits: what ``expected`` is the positive part of, in full resolution; where they are not at hand, as
            few pixels may differ as can be that near to the threshold.
    """
    ours, theirs = np.asarray(found), np.asarray(expected)
    assert ours.dtype == theirs.dtype == bool and ours.shape == theirs.shape
    differ = ours != theirs
    if logits is None:
        assert differ.sum() <= ON_THRESHOLD * differ.size + 2, f"{differ.sum()} pixels differ"
        return
    values = _numbers(logits)
    assert tuple(values.shape) == ours.shape
    away, allowed = values[torch.from_numpy(differ)], ROUNDING * _largest(values)
    assert _largest(away) <= allowed, (
        f"logits up to {_largest(away):.1e} differ in sign; {allowed:.1e} is rounding"
    )


def assert_same_objects(found: list[dict[str, Any]], expected: list[dict[str, Any]]) -> None:
    """Records of an automatic mask generator, in any order: each has its partner from the same click."""
    assert len(found) == len(expected) > 0
    left = list(found)
    for theirs in expected:
        near = [ours for ours in left if ours["point_coords"] == theirs["point_coords"]]
        assert near
        partner = min(near, key=lambda ours: (ours["segmentation"] != theirs["segmentation"]).sum())
        assert_same_masks(partner["segmentation"], theirs["segmentation"])
        left = [ours for ours in left if ours is not partner]
        assert partner["area"] == partner["segmentation"].sum()
        assert np.abs(np.subtract(partner["bbox"], theirs["bbox"])).max() <= 1


def _numbers(values: ArrayLike) -> Tensor:
    numbers = torch.as_tensor(
        np.asarray(values) if not isinstance(values, Tensor) else values.detach()
    ).double()
    assert numbers.isfinite().all()
    return numbers


def _norm(values: Tensor) -> float:
    return float(values.norm())


def _largest(values: Tensor) -> float:
    return float(values.abs().max()) if values.numel() else 0.0


#: All elements together, and the worst: one alone that is wrong hides in the norm of thousands.
_SIZES = {"norm": _norm, "largest": _largest}
