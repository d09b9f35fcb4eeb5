"""Ways to read a case that several data sets share. What fits none is written in the data set's file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from . import read
from .masks import binary, fit, label_map
from .types import Array, Case, Frame, Object, Skip
from .volumes import labels, to_uint8, volume

Reader = Callable[[Case], Iterator[Frame | Skip]]
NO_LABEL = "slice or frame without annotation"


def still(objects: Callable[[Array, Case], list[Object]], load: Callable = read.gray) -> Reader:
    """An image file and a mask file, brought to the image's size, whose objects a function makes."""

    def reader(case: Case) -> Iterator[Frame]:
        picture = read.image(case.files["image"])
        mask, notes = fit(load(case.files["mask"]), (picture.shape[0], picture.shape[1]))
        yield Frame(picture, objects(mask, case), notes=notes)

    return reader


def binary_still(category: str | Mapping[str, str], *, threshold: int = 128) -> Reader:
    """An image and a binary mask; the category is fixed or follows the case's label."""

    def objects(mask: Array, case: Case) -> list[Object]:
        name = category if isinstance(category, str) else category[case.label or ""]
        return binary(mask, name, threshold=threshold)

    return still(objects)


def two_valued_still(category: str | Mapping[str, str]) -> Reader:
    """As `binary_still`, for masks of 0 and one other value, whichever it is; more values are refused."""

    def objects(mask: Array, case: Case) -> list[Object]:
        values = np.unique(mask)
        if len(values) > 2 or (len(values) == 2 and values[0] != 0):
            raise ValueError(f"a mask of two values was expected, found {len(values)}: {values[:6].tolist()}")
        name = category if isinstance(category, str) else category[case.label or ""]
        return binary(mask, name, threshold=1)

    return still(objects)


def label_still(names: Mapping[int, str]) -> Reader:
    """An image and a mask of class numbers."""
    return still(lambda mask, case: label_map(mask, names), read.indices)


def stack(
    names: Mapping[int, str],
    *,
    flip: Sequence[int] = (),
    adjust: Callable[[Array, Array], Array] | None = None,
    ignore: Sequence[int] = (0,),
) -> Reader:
    """A volume or sequence with a label volume of the same shape; annotated slices along the first axis.

    Args:
        names: Label value to category.
        flip: In-plane axes to turn over, of image and mask alike: (1,) upside down, (1, 2) by 180 degrees.
        adjust: Changes the labels (T, H, W) with the images (T, H, W) at hand, before slicing.
        ignore: Label values that are background.
    """

    def reader(case: Case) -> Iterator[Frame | Skip]:
        pictures, notes = to_uint8(volume(case.files["image"]))
        values = labels(case.files["mask"], pictures.shape)
        if adjust is not None:
            values = adjust(values, pictures)
        yield from slices(pictures, values, names, flip=flip, ignore=ignore, notes=notes)

    return reader


def slices(
    pictures: Array,
    values: Array,
    names: Mapping[int, str],
    *,
    flip: Sequence[int] = (),
    ignore: Sequence[int] = (0,),
    notes: Sequence[str] = (),
) -> Iterator[Frame | Skip]:
    """Frames of the slices in which any label lies, and how many have none."""
    pictures, values = np.flip(pictures, flip), np.flip(values, flip)
    empty = 0
    for index, (picture, mask) in enumerate(zip(pictures, values, strict=True)):
        objects = label_map(mask, names, ignore=ignore)
        if objects:
            yield Frame(np.ascontiguousarray(picture), objects, index=index, notes=notes)
        else:
            empty += 1
    if empty:
        yield Skip(NO_LABEL, empty)
