"""COCO segmentations looked at before pycocotools sees them: its C code trusts what it is given.

A NaN in a polygon, a code that ends too early or a character that does not belong into one end the process
there, or make a mask of something else. What passes here is safe to hand on.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from .coco_parsed import shown

Size = tuple[int, int]
NUMBERS = frozenset((int, float))
#: Longest outline of one polygon in pixels; C takes memory in proportion.
LONGEST = 2**20
#: Characters of compressed codes looked at together, about what the processor's cache holds.
BATCH = 2**15
#: Annotations with polygons looked at together.
SOME = 500
#: Characters of one run: 6 of 5 bits are more than any image has pixels.
DIGITS = 6


def faults(segmentations: Sequence[Any], sizes: Sequence[Size]) -> list[str | None]:
    """What is wrong with each segmentation, None where nothing is.

    Args:
        segmentations: as in a COCO file: a list of polygons, or run lengths, compressed or not.
        sizes: (H, W) of the image of each.
    """
    found: list[str | None] = []
    polygons, codes = [], []
    for row, (segmentation, size) in enumerate(zip(segmentations, sizes, strict=True)):
        if type(segmentation) is list:
            polygons.append(row)
            found.append(_shape_of_polygons(segmentation))
        else:
            found.append(_runs(segmentation, size))
            if found[-1] is None and type(segmentation["counts"]) is not list:
                codes.append(row)
    polygons = [row for row in polygons if found[row] is None]
    reasons = _outlines([segmentations[row] for row in polygons], [sizes[row] for row in polygons])
    for row, reason in zip(polygons, reasons, strict=True):
        found[row] = reason
    reasons = _codes([segmentations[row]["counts"] for row in codes], [sizes[row] for row in codes])
    for row, reason in zip(codes, reasons, strict=True):
        found[row] = reason
    return found


def to_rle(segmentation: Any, size: Size) -> Any:
    """A segmentation in which `faults` found none as pycocotools' compressed run lengths."""
    if isinstance(segmentation, dict) and not isinstance(segmentation["counts"], list):
        return segmentation
    rle = coco_mask.frPyObjects(segmentation, *size)
    return coco_mask.merge(rle) if isinstance(rle, list) else rle


def is_flat(segmentation: Any) -> bool:
    """Whether it is one polygon, x, y, x, y, ..., where COCO has a list of polygons."""
    return (
        type(segmentation) is list and len(segmentation) >= 6 and NUMBERS.issuperset(map(type, segmentation))
    )


def _shape_of_polygons(rings: list[Any]) -> str | None:
    if not rings:
        return "its segmentation is empty (boxes alone do for 'ultrasam predict --prompts')"
    for ring in rings:
        if type(ring) is not list or not NUMBERS.issuperset(map(type, ring)):
            return "a polygon is a list of numbers: x, y, x, y, ..."
        if len(ring) < 6 or len(ring) % 2:
            return f"a polygon needs three points or more, as x, y, x, y, ..., not {len(ring)} numbers"
    return None


def _outlines(segmentations: Sequence[list[list[float]]], sizes: Sequence[Size]) -> list[str | None]:
    """Polygons of the right shape: are their coordinates finite and near their image, and not endless?"""
    found: list[str | None] = []
    for start in range(0, len(segmentations), SOME):
        part = slice(start, start + SOME)
        found += _some_outlines(segmentations[part], np.array(sizes[part], np.float64))
    return found


def _some_outlines(
    segmentations: Sequence[list[list[float]]], sizes: NDArray[np.float64]
) -> list[str | None]:
    rings = list(chain.from_iterable(segmentations))
    points = as_floats(chain.from_iterable(rings)).reshape(-1, 2)
    first = np.cumsum([0, *(len(ring) // 2 for ring in rings)])
    owner = np.repeat(np.arange(len(segmentations)), [len(s) for s in segmentations])
    low, high = np.minimum.reduceat(points, first[:-1]), np.maximum.reduceat(points, first[:-1])
    span = sizes[:, ::-1]
    reach = span.max(axis=1, keepdims=True)
    with np.errstate(invalid="ignore", over="ignore"):
        near = ((low >= -reach[owner]) & (high <= (span + reach)[owner])).all(axis=1)
        steps = np.abs(np.diff(points, axis=0)).max(axis=1)
        steps[first[1:-1] - 1] = 0
        length = np.add.reduceat(steps, np.minimum(first[:-1], len(steps) - 1))
    tiny = np.logical_and.reduceat(
        (low >= 0).all(axis=1) & (high <= 1).all(axis=1), np.cumsum([0, *map(len, segmentations)])[:-1]
    )
    found: list[str | None] = [None] * len(segmentations)
    for row in np.unique(owner[length > LONGEST]).tolist():
        found[row] = f"its outline is longer than {LONGEST} pixels"
    for row in np.flatnonzero(tiny & (span.min(axis=1) > 1)).tolist():
        found[row] = "its polygons lie between 0 and 1, as fractions of the image do; COCO has pixels"
    for ring in np.flatnonzero(~near).tolist():
        width, height = span[owner[ring]]
        (x, y), (right, bottom) = low[ring], high[ring]
        found[owner[ring]] = (
            f"a polygon from ({x:g}, {y:g}) to ({right:g}, {bottom:g}) is far outside of its image of "
            f"{width:g} x {height:g} pixels"
        )
    return found


def as_floats(values: Iterable[float]) -> NDArray[np.float64]:
    """Numbers of JSON; whole ones that no float holds become infinite."""
    values = list(values)
    try:
        return np.array(values, np.float64)
    except OverflowError:
        return np.array([v if abs(v) < 1e300 else np.inf for v in values], np.float64)


def _runs(segmentation: Any, size: Size) -> str | None:
    """Run lengths but for the code of compressed ones."""
    if not isinstance(segmentation, dict):
        return (
            "it has no segmentation (boxes alone do for 'ultrasam predict --prompts')"
            if segmentation is None
            else "a segmentation is a list of polygons, or run lengths"
        )
    given = segmentation.get("size")
    if type(given) is not list or len(given) != 2 or set(map(type, given)) != {int}:
        return f"no 'size' [height, width] at its run lengths: {shown(given)}"
    if given != list(size):
        return f"the mask is {given}, the image {list(size)}"
    counts = segmentation.get("counts")
    if type(counts) is not list:
        return None if isinstance(counts, (str, bytes)) else "no 'counts' at its run lengths"
    if set(map(type, counts)) - {int}:
        return "its run lengths are not whole numbers"
    if min(counts, default=0) < 0:
        return "a run length is negative"
    if sum(counts) != size[0] * size[1]:
        return f"the runs do not add up to the image's pixels: {sum(counts)}, not {size[0] * size[1]}"
    return None


def _codes(codes: Sequence[str | bytes], sizes: Sequence[Size]) -> list[str | None]:
    """Do compressed codes (COCO API's ``rleFrString``) stand for runs that add up to their images?"""
    texts = [code if isinstance(code, str) else code.decode("latin-1") for code in codes]
    pixels = np.array([height * width for height, width in sizes], np.int64)
    found: list[str | None] = []
    ends = np.cumsum([0, *map(len, texts)])
    start = 0
    while start < len(texts):
        stop = max(int(np.searchsorted(ends, ends[start] + BATCH)), start + 1)
        found += _batch(texts[start:stop], pixels[start:stop])
        start = stop
    return found


def _batch(texts: list[str], pixels: NDArray[np.int64]) -> list[str | None]:
    found: list[str | None]
    found = [_alphabet(text) for text in texts] if not _plain("".join(texts)) else [None] * len(texts)
    for row, text in enumerate(texts):
        if not text:
            found[row] = "empty run-length code"
        elif found[row] is None and text[-1] >= "P":
            found[row] = "its run-length code is cut off"
    good = np.array([row for row, reason in enumerate(found) if reason is None], np.int64)
    if not len(good):
        return found
    runs, first, endless = _decode([texts[row] for row in good] if len(good) < len(texts) else texts)
    sums = np.add.reduceat(runs, first, axis=0, dtype=np.int64).sum(axis=1)
    negative = np.minimum.reduceat(runs, first, axis=0).min(axis=1) < 0
    wrong = sums != pixels[good]
    for i in np.flatnonzero(negative | wrong | endless).tolist():
        if endless[i]:
            found[good[i]] = "its run-length code holds a number that no image has"
        elif negative[i]:
            found[good[i]] = "its run-length code holds a negative run"
        else:
            found[good[i]] = f"the runs do not add up to the image's pixels: {sums[i]}, not {pixels[good[i]]}"
    return found


def _plain(text: str) -> bool:
    """Whether all characters are of the code's 64, ``0`` to ``o``."""
    if not text.isascii():
        return False
    return bool((np.frombuffer(text.encode(), np.uint8) - np.uint8(48) < 64).all())


def _alphabet(text: str) -> str | None:
    return None if _plain(text) else "its run-length code holds a character that does not belong there"


def _decode(texts: Sequence[str]) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.bool_]]:
    """The runs of codes that are whole, as C has them: 32 bits each.

    Returns:
        runs (K, 2) of all, background and foreground, one code after the other; the first row of each code
        (n,); and whether a code has a number of too many digits (n,).
    """
    data = np.frombuffer("".join(texts).encode(), np.uint8) - np.uint8(48)
    last = np.flatnonzero(data < 32)
    digits = np.diff(last, prepend=-1)
    ends = data[last]
    # The highest bit is the sign.
    values = (ends & 31).astype(np.int32) - ((ends > 15).astype(np.int32) << 5)
    long = np.flatnonzero(digits > 1)
    for digit in range(1, DIGITS):
        if not len(long):
            break
        values[long] = (values[long] << 5) | (data[last[long] - digit] & 31)
        long = long[digits[long] > digit + 1]
    stop = np.searchsorted(last, np.cumsum([len(text) for text in texts]))
    count = np.diff(stop, prepend=0)
    endless = np.maximum.reduceat(digits, stop - count) > DIGITS
    # Codes with an odd number of runs get an empty one, so that foreground is always in the second column.
    rows = (count + 1) // 2
    first = np.cumsum(rows) - rows
    runs = np.zeros((int(rows.sum()), 2), np.int32)
    runs.reshape(-1)[np.arange(len(values)) + np.repeat(2 * first - (stop - count), count)] = values
    # From the fourth on a run is written as its difference to the last but one.
    start = runs[first, 0]
    runs[first, 0] = 0
    total = np.cumsum(runs, axis=0, dtype=np.int32)
    runs = total - np.repeat(total[first] - runs[first], rows, axis=0)
    runs[first, 0] = start
    odd = np.flatnonzero(count % 2)
    runs[first[odd] + rows[odd] - 1, 1] = 0
    return runs, first, endless


def areas_and_boxes(rles: Sequence[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of masks in which `faults` found none: areas (n,) in pixels, and tight boxes (n, 4), x, y, w, h."""
    if not len(rles):
        return np.zeros(0), np.zeros((0, 4))
    # A few at a time: pycocotools counts them in 8 bits, boxes fourfold.
    parts = [list(rles[start : start + 63]) for start in range(0, len(rles), 63)]
    areas = [np.asarray(coco_mask.area(part), np.float64).reshape(-1) for part in parts]
    boxes = [np.asarray(coco_mask.toBbox(part), np.float64).reshape(-1, 4) for part in parts]
    return np.concatenate(areas), np.concatenate(boxes)
