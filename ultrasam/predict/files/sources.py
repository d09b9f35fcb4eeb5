"""Files, folders, globs, DICOM, stacks and video as one stream of frames."""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from ultrasam.data import images, stacks
from ultrasam.errors import DataError
from ultrasam.predict.files import dicom, video
from ultrasam.predict.pixels import Window, to_rgb8

IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".pgm", ".ppm", ".gif", ".apng")
VIDEOS = (".mp4", ".avi", ".mov", ".mkv", ".wmv", ".m4v", ".mpg", ".mpeg")
DICOMS = (".dcm", ".dicom", ".ima")

#: (x, y) mm a pixel for a box, or None where it is not known.
SpacingOf = Callable[[Sequence[float]], "tuple[float, float] | None"]


@dataclass(frozen=True)
class Frame:
    """One image to segment.

    Attributes:
        name: its path without an ending, unique among the inputs; outputs are named after it.
        file_name: the file, relative to the folder or glob that it was found by.
        number: of the frame in its clip, None for a single image.
        read: makes the image, (H, W, 3) uint8 RGB.
        spacing_of: its calibration, or None.
    """

    name: str
    file_name: str
    number: int | None
    read: Callable[[], np.ndarray]
    spacing_of: SpacingOf | None = None


@dataclass(frozen=True)
class Source:
    """One input file: where it is, and its name relative to what the user gave."""

    path: Path
    file_name: str


def find(inputs: Sequence[str | Path]) -> list[Source]:
    """The files that inputs stand for, in order.

    Args:
        inputs: files, folders (searched with all sub-folders), globs.

    Raises:
        DataError: an input does not exist, or a folder holds nothing readable.
    """
    found: dict[str, Source] = {}
    for given in inputs:
        for source in _expand(str(given)):
            found.setdefault(os.path.realpath(source.path), source)
    return list(found.values())


def _expand(given: str) -> list[Source]:
    path = Path(given)
    if path.is_file():
        return [Source(path, path.name)]
    if path.is_dir():
        files = _inside(path)
        if not files:
            raise DataError(f"the folder {path} holds no image, DICOM file or video")
        return [Source(f, f.relative_to(path).as_posix()) for f in files]
    files = [Path(f) for f in sorted(glob.glob(given, recursive=True)) if Path(f).is_file()]
    if not files:
        raise DataError(f"no file, folder or match for '{given}'")
    return [Source(f, f.name) for f in files]


def _inside(folder: Path) -> list[Path]:
    """What a folder holds for us; with links to nowhere and locked folders: reading them says why not."""
    locked: list[Path] = []
    found: list[Path] = []
    for root, _, names in os.walk(folder, onerror=lambda error: locked.append(Path(error.filename))):
        files = [Path(root) / name for name in names]
        found += [f for f in files if (f.is_file() or not os.path.exists(f)) and _known(f)]  # noqa: PTH110
    return sorted(found + locked)


def _known(path: Path) -> bool:
    return path.suffix.lower() in (*IMAGES, *VIDEOS, *DICOMS) or (not path.suffix and dicom.is_dicom(path))


def names(sources: Sequence[Source]) -> list[str]:
    """An output name for each source: without its ending where that is unambiguous."""
    stems = [Path(source.file_name).with_suffix("").as_posix() for source in sources]
    count = Counter(stems)
    plain = [s if count[s] == 1 else source.file_name for s, source in zip(stems, sources, strict=True)]
    # The same name in two inputs: number them.
    count = Counter(plain)
    return [name if count[name] == 1 else f"{name}_{i}" for i, name in enumerate(plain)]


def frames(source: Source, name: str, window: Window | None = None) -> Iterator[Frame]:
    """The frames of a file; images are decoded when they are asked for, clips as they are read.

    Stacks and animations are clips as videos are; a file of one picture is none.

    Raises:
        DataError: the file can't be read; or, after the frames that it has, how many are missing.
    """
    path, file_name = source.path, source.file_name
    ending = path.suffix.lower()
    if ending in DICOMS or dicom.is_dicom(path):
        clip = dicom.open_clip(path)
        many = clip.frames + clip.missing > 1
        spacing_of = clip.spacing_of if clip.calibrated else None
        for number in range(clip.frames):
            read = partial(clip.read, number, window)
            yield _frame(name, file_name, number if many else None, read, spacing_of)
        if clip.missing:
            stated = clip.frames + clip.missing
            raise DataError(f"{path}: {clip.missing} of its {stated} frames are missing: the file is cut off")
    elif ending in VIDEOS:
        for number, image in video.frames(path):
            yield _frame(name, file_name, number, partial(_shown, path, image, "RGB", window))
    else:
        for page, samples in stacks.samples(path):
            yield _frame(name, file_name, page, partial(_decoded, path, samples, window))


def _frame(
    name: str,
    file_name: str,
    number: int | None,
    read: Callable[[], np.ndarray],
    spacing_of: SpacingOf | None = None,
) -> Frame:
    return Frame(name if number is None else f"{name}_{number:05d}", file_name, number, read, spacing_of)


def _decoded(path: Path, samples: Callable[[], np.ndarray], window: Window | None) -> np.ndarray:
    image = samples()
    return images.as_shown(path, image) if window is None else _shown(path, image, "BGR", window)


def _shown(path: Path, image: np.ndarray, order: str, window: Window | None) -> np.ndarray:
    try:
        return to_rgb8(image, order, window)
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
