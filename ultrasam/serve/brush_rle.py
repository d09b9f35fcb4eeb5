"""Label Studio's run-length code of brush regions.

A stream of bits (the ``rle-pack`` format of thi.ng's umbrella): 32 bits how many values; 5 bits the size of
a value less one; four times 4 bits the sizes of lengths less one; then blocks of a bit, which is 1 for one
value that is repeated and 0 for values in full, 2 bits that choose one of the four sizes, the block's length
less one, and its value or values. The values are a picture's RGBA bytes, row by row; the mask is the alpha
channel.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ultrasam.errors import DataError

_SIZES = (3, 4, 8, 16)
_LONGEST = 1 << _SIZES[-1]
_CHANNELS, _WORD = 4, 8


def encode_brush(mask: np.ndarray) -> list[int]:
    """A mask (H, W) bool as bytes: 255 within it, 0 outside, in all channels."""
    flat = mask.ravel()
    ends = np.append(np.flatnonzero(flat[1:] != flat[:-1]) + 1, flat.size)
    lengths = np.diff(ends, prepend=0) * _CHANNELS
    bits = [f"{flat.size * _CHANNELS:032b}{_WORD - 1:05b}", *(f"{size - 1:04b}" for size in _SIZES)]
    value = bool(flat[0])
    for length in lengths.tolist():
        word = "1" * _WORD if value else "0" * _WORD
        while length > 0:
            part = min(length, _LONGEST)
            choice = next(i for i, size in enumerate(_SIZES) if part <= 1 << size)
            bits.append(f"1{choice:02b}{part - 1:0{_SIZES[choice]}b}{word}")
            length -= part
        value = not value
    text = "".join(bits)
    text += "0" * (-len(text) % 8)
    return list(int(text, 2).to_bytes(len(text) // 8, "big"))


def decode_brush(code: Sequence[int], size: tuple[int, int]) -> np.ndarray:
    """Bytes as a mask (H, W) bool.

    Raises:
        DataError: they are damaged, or of a picture of another size.
    """
    try:
        stream = _Bits(np.unpackbits(np.frombuffer(bytes(code), dtype=np.uint8)))
    except (TypeError, ValueError) as error:
        raise DataError("a brush region's rle must be a list of bytes") from error
    wanted = size[0] * size[1] * _CHANNELS
    count, word = stream.number(32), stream.number(5) + 1
    if count != wanted or word != _WORD:
        raise DataError(
            f"a brush region has {count} values of {word} bits; its image of {size[1]} x {size[0]} has "
            f"{wanted} of {_WORD}"
        )
    sizes = [stream.number(4) + 1 for _ in range(4)]
    values = np.zeros(count, dtype=np.uint8)
    place = 0
    while place < count:
        repeated, length = stream.number(1), stream.number(sizes[stream.number(2)]) + 1
        end = place + length
        if end > count:
            raise DataError("a brush region's rle goes on beyond its image")
        values[place:end] = stream.number(_WORD) if repeated else np.packbits(stream.take(length * _WORD))
        place = end
    return values.reshape(*size, _CHANNELS)[..., 3] > 127


class _Bits:
    """Bits, taken one after the other."""

    def __init__(self, bits: np.ndarray) -> None:
        self._bits, self._place = bits, 0

    def take(self, count: int) -> np.ndarray:
        if self._place + count > len(self._bits):
            raise DataError("a brush region's rle is cut off")
        self._place += count
        return self._bits[self._place - count : self._place]

    def number(self, count: int) -> int:
        number = 0
        for bit in self.take(count).tolist():
            number = 2 * number + bit
        return number
