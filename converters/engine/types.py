"""The records that a data set file and the engine exchange."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, SupportsIndex

import numpy as np
from numpy.typing import NDArray

from .errors import CaseError

Array = NDArray[Any]
SPLITS = ("train", "val", "test")
#: In `all.json` only: shares a subject with an official test set and so may neither train nor test.
HELD_OUT = "held_out"


@dataclass(frozen=True)
class Category:
    """One class of objects; `supercategory` is the anatomy or the group of findings."""

    name: str
    supercategory: str = "ultrasound"


@dataclass(frozen=True)
class Case:
    """The unit of work and of resuming: cheap to make, picklable, read in a worker.

    Attributes:
        key: Unique and stable in the data set, a relative path without extension; names the output.
        files: Raw files by role. They are fingerprinted for resuming and named when reading fails.
        subject: Whoever must stay on one side of a split; None where the source cannot know.
        split: The official `train`, `val` or `test`, None where there is none.
        label: A class known from a table or a folder.
        data: Whatever else `read` needs (frame numbers, polygons), picklable and with a stable repr.
    """

    key: str
    files: Mapping[str, Path] = field(default_factory=dict)
    subject: str | None = None
    split: str | None = None
    label: str | None = None
    data: Any = None


@dataclass(frozen=True)
class Object:
    """One annotated structure; `mask` is (H, W) bool. `whole` keeps all its pieces one instance."""

    category: str
    mask: NDArray[np.bool_]
    whole: bool = False


@dataclass(frozen=True)
class Frame:
    """One output image: (H, W) or (H, W, 3) RGB uint8 with its objects.

    Attributes:
        index: Frame of the video or slice of the volume as stored; None for a still.
        notes: What was done to this frame that a reader of the report should know.
        extra: Facts to keep on the COCO image (view, plane quality), JSON values.
    """

    image: NDArray[np.uint8]
    objects: Sequence[Object] = ()
    index: int | None = None
    notes: Sequence[str] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Skip:
    """Left out on purpose, counted in the report under `reason`; `count` things at once."""

    reason: str
    count: int = 1


@dataclass(frozen=True)
class Instances:
    """How a mask becomes instances, and which pieces are too small to be one.

    A piece is a speck when it has fewer than `speck_area` pixels and less than `speck_share` of the
    largest piece of its mask; whatever is under `min_share` of the largest or has fewer than `min_area`
    pixels is dropped in any case.

    Attributes:
        components: Split a mask into its 8-connected components.
        border_strip: Pieces of so many pixels across and no more, that lie along the image border, are what
            is left of a cropped frame or of a resized mask, and are dropped; 0 keeps them.
    """

    components: bool = True
    speck_area: int = 10
    speck_share: float = 0.01
    min_share: float = 0.0
    min_area: int = 0
    border_strip: int = 2


@dataclass(frozen=True)
class Twin:
    """Images that another data set holds too: where that is there, a merge leaves them out.

    Attributes:
        dataset: The other.
        subjects: How the names of their subjects begin; every image is meant where it is empty.
        what: One of them, in words.
    """

    dataset: str
    subjects: str = ""
    what: str = "image"


@dataclass(frozen=True)
class Card:
    """What a human must know before using the data.

    Attributes:
        license: SPDX-like name or the words of the source; "" where none is stated.
        access: `open`, `registration`, `agreement` or `request`.
        organ: Short tag for exclusions (`breast`, `ovary`, `gastrointestinal`, ...).
        images: Expected number of annotated images, None where unknown.
        masks: Expected number of mask files, polygons or label frames.
        commercial: Whether the license allows commercial use; only an explicit license counts.
        tree: The expected raw tree, for `info` and for error messages.
        quirks: Traps of the raw data and how they are met.
        guesses: Unconfirmed assumptions, each checked while converting.
        unchecked: Assumptions that nothing in the files can confirm or refute.
        differs: Where the result differs from the published conversion.
        same_as: What another data set holds too.
        overlaps: Data sets that may share images or patients with it: an audit finds which.
        facts: SonoDQS characteristics that are known, by name (see cards.py).
        annotation: What is marked: `masks`, or what a set has that is not converted (`boxes`, `classes`).
        layout: Where the tree and the values of the files are known from; "" where from the files.
        source: Where the card comes from, if neither its citation nor its link says.
    """

    title: str
    license: str = ""
    anatomy: str = ""
    application: str = ""
    link: str = ""
    access: str = "open"
    citation: str = ""
    organ: str = ""
    images: int | None = None
    masks: int | None = None
    subjects: int | None = None
    commercial: bool = False
    tree: str = ""
    quirks: tuple[str, ...] = ()
    guesses: tuple[str, ...] = ()
    unchecked: tuple[str, ...] = ()
    differs: tuple[str, ...] = ()
    same_as: Twin | None = None
    overlaps: tuple[str, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    annotation: str = "masks"
    layout: str = ""
    source: str = ""


@dataclass(frozen=True)
class Dataset:
    """All that is peculiar to one data set.

    Attributes:
        name: Module name, output folder and `dataset` field of every image.
        cases: Raw root -> the cases; deterministic, reads tables but no images. It raises `TreeError`
            for a wrong tree and may give among the cases `CaseError`s, for what cannot become one, and
            `Skip`s, for what is left out on purpose.
        read: One case -> its frames; runs in a worker. It raises for a case that cannot be read.
        needs: Globs (`a|b` for either) under the raw root, each of which has to match. The folder that
            they match is searched below what the user gives; none is a `TreeError`.
        keep_empty: Keep images without any object.
        benchmark: The official test set is one of UltraSam's three and never reaches training.
        version: Raised whenever the output changes.
    """

    name: str
    card: Card
    categories: tuple[Category, ...]
    cases: Callable[[Path], Iterable[Case | Skip | CaseError]]
    read: Callable[[Case], Iterable[Frame | Skip]]
    instances: Instances = Instances()
    needs: tuple[str, ...] = ()
    keep_empty: bool = False
    benchmark: bool = False
    version: str = "1"

    def __reduce_ex__(self, protocol: SupportsIndex) -> Any:
        """To worker processes the `DATASET` of a file goes by name: its functions may be closures."""
        ours = f"{__package__.rpartition('.')[0]}.datasets.{self.name}"
        for module in (ours, getattr(self.cases, "__module__", "")):
            if getattr(sys.modules.get(module), "DATASET", None) is self:
                return _from_module, (module,)
        return super().__reduce_ex__(protocol)


def _from_module(name: str) -> Dataset:
    dataset: Dataset = importlib.import_module(name).DATASET
    return dataset
