"""Files, folders, globs, DICOM and video as one stream of frames."""

from __future__ import annotations

import glob
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ultrasam.data import images
from ultrasam.errors import DataError
from ultrasam.predict.files import dicom
from ultrasam.predict.pixels import Window, to_rgb8

IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".pgm", ".ppm")
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
    found: dict[Path, Source] = {}
    for given in inputs:
        for source in _expand(str(given)):
            found.setdefault(source.path.resolve(), source)
    return list(found.values())


def _expand(given: str) -> list[Source]:
    path = Path(given)
    if path.is_file():
        return [Source(path, path.name)]
    if path.is_dir():
        files = [f for f in sorted(path.rglob("*")) if f.is_file() and _known(f)]
        if not files:
            raise DataError(f"the folder {path} holds no image, DICOM file or video")
        return [Source(f, f.relative_to(path).as_posix()) for f in files]
    files = [Path(f) for f in sorted(glob.glob(given, recursive=True)) if Path(f).is_file()]
    if not files:
        raise DataError(f"no file, folder or match for '{given}'")
    return [Source(f, f.name) for f in files]


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
    """The frames of a file; images are decoded when they are asked for, video as it is read.

    Raises:
        DataError: the file can't be read.
    """
    path = source.path
    if dicom.is_dicom(path) or path.suffix.lower() in DICOMS:
        clip = dicom.open_clip(path)
        for number in range(clip.frames):
            many = clip.frames > 1
            yield Frame(
                f"{name}_{number:05d}" if many else name,
                source.file_name,
                number if many else None,
                _later(clip.read, number, window),
                clip.spacing_of,
            )
    elif path.suffix.lower() in VIDEOS:
        for number, image in enumerate(_video(path)):
            yield Frame(f"{name}_{number:05d}", source.file_name, number, _later(lambda array: array, image))
    else:
        yield Frame(name, source.file_name, None, _later(_read, path, window))


def _read(path: Path, window: Window | None = None) -> np.ndarray:
    """An image file of any depth as (H, W, 3) uint8 RGB; deeper than 8 bits needs a window.

    Raises:
        DataError: the file is damaged, or deeper than 8 bits and there is no window.
    """
    if window is None:
        return images.read_image(path)
    try:
        return to_rgb8(images.read_samples(path), "BGR", window)
    except DataError as error:
        raise DataError(f"{path}: {error}" if str(path) not in str(error) else str(error)) from error


def _later(function: Callable[..., np.ndarray], *args: Any) -> Callable[[], np.ndarray]:
    return lambda: function(*args)


def _video(path: Path) -> Iterator[np.ndarray]:
    capture = cv2.VideoCapture(str(path))
    try:
        count = 0
        while True:
            more, image = capture.read()
            if not more:
                break
            count += 1
            yield images.as_rgb(image)
        if count == 0:
            raise DataError(f"{path} is not a readable video (damaged, or its codec is not at hand)")
    finally:
        capture.release()
