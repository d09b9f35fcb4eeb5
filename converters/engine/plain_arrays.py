"""NumPy's arrays and numbers out of pickles, made by functions that look at what they are given.

NumPy's own makers are not safe: ``ndarray(shape, 'O', data)`` takes bytes of the file for addresses of
objects, the flags of a type can say so later, and an array can get other memory while somebody reads it. Each
ends the process at best.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

#: Truth values, whole, real and complex numbers, and texts.
_NUMBERS = "biufcSU"


class PlainType:
    """Stands for a `numpy.dtype`: numbers and texts in either order of bytes, and lists of objects."""

    def __init__(self, code: Any, *_: Any) -> None:
        made = np.dtype(code) if isinstance(code, str) else None
        if made is None or made.kind not in f"{_NUMBERS}O":
            raise ValueError(f"an array of {code!r} is none of numbers or texts")
        self.dtype = made

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        """The order of bytes is all that is said here; sizes and flags follow from the type's code."""
        _, order, *rest = state
        if any(part is not None for part in rest[:3]):
            raise ValueError("an array of records is none of numbers or texts")
        if order in ("<", ">"):
            self.dtype = self.dtype.newbyteorder(order)

    def filled(self, shape: Any, data: Any, order: Any = "C") -> np.ndarray:
        """A new array of this type."""
        if not isinstance(shape, tuple) or not all(isinstance(side, int) and side >= 0 for side in shape):
            raise ValueError(f"{shape!r} is no shape of an array")
        objects = self.dtype.kind == "O"
        if not isinstance(data, list if objects else bytes | bytearray):
            raise ValueError(f"{type(data).__name__} is no content of an array of {self.dtype}")
        if len(data) != math.prod(shape) * (1 if objects else self.dtype.itemsize):
            raise ValueError(f"an array of {shape} {self.dtype} has {len(data)} bytes or objects")
        if not objects:
            return np.ndarray(shape, self.dtype, bytes(data), order=order).copy(order)
        array = np.empty(len(data), self.dtype)
        array[:] = data if len(data) != 1 else None
        if len(data) == 1:
            array[0] = data[0]
        return array.reshape(shape, order=order)


class PlainArray(np.ndarray):
    """Made empty, and filled once, as NumPy's pickles do."""

    def __new__(cls, *_: Any) -> PlainArray:
        """Empty, whatever is asked for."""
        return super().__new__(cls, (0,), np.uint8)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        """Take the content, in memory of its own."""
        _, shape, kind, fortran, data = state
        if self.shape != (0,) or not isinstance(kind, PlainType):
            raise ValueError("an array is filled twice, or has no type")
        content: Any = kind.filled(shape, data, "F" if fortran else "C").__reduce__()[2]
        super().__setstate__(content)


def _empty(*_: Any) -> PlainArray:
    return PlainArray()


def _number(kind: Any, data: Any = None) -> Any:
    if not isinstance(kind, PlainType) or kind.dtype.kind == "O":
        raise ValueError("a number has no type")
    return kind.filled((), data)[()]


def _array(data: Any, kind: Any, shape: Any, order: Any) -> np.ndarray:
    if not isinstance(kind, PlainType) or kind.dtype.kind == "O" or order not in ("C", "F"):
        raise ValueError("an array has no type of numbers")
    return kind.filled(shape, data, order)


#: NumPy's makers by the names that its versions pickle them under, and what is called in their place.
MAKERS: Mapping[tuple[str, str], Any] = MappingProxyType(
    {
        ("numpy", "ndarray"): PlainArray,
        ("numpy", "dtype"): PlainType,
        **{
            (f"numpy.{core}.{module}", name): made
            for core in ("core", "_core")
            for module, name, made in (
                ("multiarray", "_reconstruct", _empty),
                ("multiarray", "scalar", _number),
                ("numeric", "_frombuffer", _array),
            )
        },
    }
)
