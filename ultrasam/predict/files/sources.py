"""Files, folders, globs, DICOM, stacks, volumes and video as one stream of frames."""

from __future__ import annotations

import glob
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ultrasam.data import images, stacks
from ultrasam.errors import DataError
from ultrasam.predict.files import dicom, dicom_header, series, video, volume
from ultrasam.predict.files.calibration import Calibration
from ultrasam.predict.pixels import Window, to_rgb8

IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".pgm", ".ppm", ".gif", ".apng")
#: Of these, those that hold one picture, but for a PNG that is an animation.
PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".pgm", ".ppm")
VIDEOS = (".mp4", ".avi", ".mov", ".mkv", ".wmv", ".m4v", ".mpg", ".mpeg")
DICOMS = (".dcm", ".dicom", ".ima")
#: Names that frames of a clip have, too.
_OF_CLIP = re.compile(r"(.+)_\d{5,}", re.DOTALL)


@dataclass(frozen=True)
class Frame:
    """One image to segment.

    Attributes:
        name: its path without an ending, unique among the inputs; outputs are named after it.
        file_name: the file, relative to the folder or glob that it was found by.
        number: of the frame in its clip, None for a single image.
        read: makes the image, (H, W, 3) uint8 RGB.
        spacing_of: its calibration, or None where the file says nothing of lengths.
        time: seconds since the first frame of its clip, None where that is not known.
    """

    name: str
    file_name: str
    number: int | None
    read: Callable[[], np.ndarray]
    spacing_of: Calibration | None = None
    time: float | None = None


@dataclass(frozen=True)
class Source:
    """One input: a file, or the files of a series, which are one clip together.

    Attributes:
        path: where it is; of a series, its first file.
        file_name: its name relative to what the user gave.
        series: the files of a series in instance order, empty for a file.
        series_names: their names relative to what the user gave.
    """

    path: Path
    file_name: str
    series: tuple[Path, ...] = ()
    series_names: tuple[str, ...] = ()

    @property
    def files(self) -> tuple[Path, ...]:
        """All that it is read from."""
        return self.series or (self.path,)


def is_picture(source: Source) -> bool:
    """Whether a source is one picture, as far as its name says."""
    return not source.series and source.path.suffix.lower() in PICTURES


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


def join_series(sources: Sequence[Source]) -> list[Source]:
    """Sources with the single-frame DICOM files of each series in a folder as one clip.

    It stands where its first file stood, under that one's name.
    """
    of_path = {source.path: source for source in sources}
    candidates = [s.path for s in sources if s.path.suffix.lower() in DICOMS or not s.path.suffix]
    joined: dict[Path, Source | None] = {}
    for instances in series.find(candidates):
        paths = tuple(instance.path for instance in instances)
        joined |= dict.fromkeys(paths)
        names = tuple(of_path[path].file_name for path in paths)
        joined[paths[0]] = Source(paths[0], names[0], paths, names)
    kept = (joined.get(source.path, source) for source in sources)
    return [source for source in kept if source is not None]


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
    if path.suffix.lower() in (*IMAGES, *VIDEOS, *DICOMS) or volume.ending(path):
        return True
    return not path.suffix and dicom_header.is_dicom(path)


def names(sources: Sequence[Source]) -> list[str]:
    """An output name for each source: without its ending where that is unambiguous.

    A clip whose frames lie beside it as images (``clip.mp4``, ``clip_00001.png``) keeps its ending too.
    """
    stems = [_stem(source.file_name) for source in sources]
    count = Counter(stems)
    count.update({match[1] for stem in stems if (match := _OF_CLIP.fullmatch(stem))})
    plain = [s if count[s] == 1 else source.file_name for s, source in zip(stems, sources, strict=True)]
    # The same name in two inputs: number them.
    count = Counter(plain)
    return [name if count[name] == 1 else f"{name}_{i}" for i, name in enumerate(plain)]


def names_alone(source: Source) -> list[str]:
    """The output names that the files of a series have as inputs of their own."""
    return [_stem(name) for name in source.series_names]


def _stem(file_name: str) -> str:
    end = volume.ending(Path(file_name))
    return file_name[: -len(end)] if end else Path(file_name).with_suffix("").as_posix()


def frames(source: Source, name: str, window: Window | None = None, axis: str = "z") -> Iterator[Frame]:
    """The frames of a file; images are decoded when they are asked for, clips as they are read.

    Stacks, animations and volumes are clips as videos are; a file of one picture is none.

    Args:
        source: the file.
        name: its output name.
        window: gray values shown as black and white.
        axis: x, y or z, along which the slices of volumes are counted.

    Raises:
        DataError: the file can't be read; or, after the frames that it has, how many are missing.
    """
    path = source.path
    ending = path.suffix.lower()

    def frame(number: int | None, read: Callable[[], np.ndarray], *more: Any) -> Frame:
        return Frame(
            name if number is None else f"{name}_{number:05d}", source.file_name, number, read, *more
        )

    if source.series:
        for number, clip in series.clips(source.series):
            yield frame(number, partial(clip.read, 0, window), _known_or_none(clip.calibration))
    elif ending in DICOMS or dicom_header.is_dicom(path):
        clip = dicom.open_clip(path)
        spacing_of = _known_or_none(clip.calibration)
        for number in range(clip.frames):
            read = partial(clip.read, number, window)
            yield frame(number if clip.many else None, read, spacing_of, clip.time(number))
        if lacks := clip.lacks():
            raise DataError(lacks)
    elif ending in VIDEOS:
        for number, time, image in video.frames(path):
            yield frame(number, partial(_shown, path, image, "RGB", window), None, time)
    elif volume.ending(path):
        opened = volume.open_volume(path, axis)
        for number in range(opened.slices):
            which = number if opened.slices > 1 else None
            yield frame(which, partial(opened.read, number, window), opened.calibration)
    else:
        for page, samples in stacks.samples(path):
            yield frame(page, partial(_decoded, path, samples, window))


def _known_or_none(calibration: Calibration) -> Calibration | None:
    return calibration if calibration.known else None


def _decoded(path: Path, samples: Callable[[], np.ndarray], window: Window | None) -> np.ndarray:
    image = samples()
    return images.as_shown(path, image) if window is None else _shown(path, image, "BGR", window)


def _shown(path: Path, image: np.ndarray, order: str, window: Window | None) -> np.ndarray:
    try:
        return to_rgb8(image, order, window)
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
