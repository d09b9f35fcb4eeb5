"""COCO's compressed run lengths read one character at a time, to compare with."""

from __future__ import annotations


def unpack(counts: str | bytes) -> list[int]:
    """The runs of a code; ValueError where it is none."""
    text = counts.encode("latin-1") if isinstance(counts, str) else counts
    runs: list[int] = []
    value = shift = 0
    for byte in text:
        code = byte - 48
        if not 0 <= code < 64:
            raise ValueError("run lengths hold a character that does not belong there")
        value |= (code & 31) << shift
        shift += 5
        if code & 32:
            continue
        if code & 16:
            value -= 1 << shift
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
        value = shift = 0
    if shift:
        raise ValueError("run lengths are cut off")
    return runs
