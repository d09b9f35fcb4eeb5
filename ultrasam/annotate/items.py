"""The images to annotate: found at the start, opened and read when they are looked at."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ultrasam.data import images
from ultrasam.errors import DataError, UltraSamError
from ultrasam.predict.files import dicom_header, sources, video
from ultrasam.predict.files.sources import Frame, Source
from ultrasam.predict.kept import Lru
from ultrasam.predict.pixels import Window

#: Bytes of decoded frames that are kept.
_KEPT = 256 * 2**20
#: Bytes of opened DICOM files and stacks that are kept: reading one anew takes as long as its first look did.
_OPENED = 768 * 2**20
#: Seconds at the start in which DICOM files and videos are opened to say how long they are; others are opened
#: when they are looked at.
_AT_START = 1.0


@dataclass
class Item:
    """One image, clip or DICOM file.

    Attributes:
        id: its number.
        name: its path relative to the folder of all images; how the labels know it.
        source: the file.
        width: pixels; 0 as long as the file has not been opened.
        height: pixels.
        frames: how many; 1 as long as the file has not been opened.
        spacing: (x, y) mm a pixel, or None.
        error: why it, or a part of it, can't be shown.
        is_clip: whether its frames become files of their own: clips, and DICOM.
        is_text: whether the file's name is text, which labels can hold; else it is listed and not read.
    """

    id: int
    name: str
    source: Source
    width: int = 0
    height: int = 0
    frames: int = 1
    spacing: tuple[float, float] | None = None
    error: str | None = None
    is_clip: bool = False
    is_text: bool = True
    opened: bool = False
    _video: Iterator[Frame] | None = field(default=None, repr=False)
    _lock: threading.RLock = field(default_factory=threading.RLock, repr=False)

    @property
    def path(self) -> Path:
        """The file."""
        return self.source.path

    @property
    def is_video(self) -> bool:
        """Whether its frames can be read one after the other alone."""
        return self.path.suffix.lower() in sources.VIDEOS and not dicom_header.is_dicom(self.path)


class Items:
    """All items, and their pixels.

    Args:
        files: the input files with their names.
        root: the folder that the names start from.
        window: gray values shown as black and white, for images of more than 8 bits.
    """

    def __init__(self, files: Sequence[tuple[Source, str]], root: Path, window: Window | None = None) -> None:
        self.root, self._window = root, window
        self._pixels: Lru[np.ndarray] = Lru(_KEPT)
        self._opened: Lru[list[Frame]] = Lru(_OPENED)
        self._items = [_item(number, name, source) for number, (source, name) in enumerate(files)]
        self._by_name = {item.name: item for item in self._items}
        end = time.monotonic() + _AT_START
        for item in self._items:
            if not item.is_text:
                continue
            _read_header(item)
            if item.is_clip and time.monotonic() < end:
                self.open(item)

    @classmethod
    def find(cls, inputs: Sequence[str | Path], window: Window | None = None) -> Items:
        """What files, folders and globs stand for.

        Raises:
            DataError: an input does not exist, or nothing in it can be read.
        """
        found = sources.find(inputs)
        only = Path(inputs[0]) if len(inputs) == 1 else None
        if only is not None and only.is_dir():
            root = only.absolute()
        else:
            root = Path(os.path.commonpath([source.path.absolute().parent for source in found]))
        return cls([(f, f.path.absolute().relative_to(root).as_posix()) for f in found], root, window)

    @classmethod
    def of_coco(cls, content: Mapping[str, Any], folder: Path, window: Window | None = None) -> Items:
        """The images that a COCO file lists, in its order; frames of a clip are one item."""
        names: dict[str, Path] = {}
        for entry in content["images"]:
            # Frames say their clip; other tools keep other things under that name.
            clip = entry.get("source") if "frame" in entry else None
            name = clip if isinstance(clip, str) else str(entry.get("file_name", ""))
            if name:
                names.setdefault(Path(name).as_posix(), folder / name)
        files = [(Source(path, name), name) for name, path in names.items()]
        return cls(files, folder.absolute(), window)

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[Item]:
        return iter(self._items)

    def __getitem__(self, number: int) -> Item:
        if not 0 <= number < len(self._items):
            raise LookupError(f"there is no image {number}: the list has {len(self._items)}")
        return self._items[number]

    def named(self, name: str) -> Item:
        """The item of a name."""
        return self._by_name[name]

    def open(self, item: Item) -> None:
        """Find out how many frames an item has, and of what size; why not stands in its ``error``."""
        with item._lock:
            if item.opened or not item.is_text:
                return
            try:
                item.error = None
                if item.is_video:
                    _open_video(item)
                else:
                    _describe(item, self._handles(item))
                item.opened = True
            except (UltraSamError, OSError) as error:
                item.error = str(error)

    def read(self, item: Item, frame: int) -> np.ndarray:
        """A frame as (H, W, 3) uint8 RGB, not to be written to.

        Raises:
            DataError: it can't be read; the item's ``error`` says so from then on.
            LookupError: there is no such frame.
        """
        self.open(item)
        if not 0 <= frame < item.frames:
            raise LookupError(f"{item.name} has no frame {frame}: it has {item.frames}")
        key = (item.id, frame, self.stamp(item))
        kept = self._pixels.get(key)
        if kept is not None:
            return kept
        try:
            with item._lock:
                image = self._decode(item, frame)
        except DataError as error:
            item.error = str(error)
            raise
        item.height, item.width = image.shape[:2]
        self._pixels.put(key, image, image.nbytes)
        return image

    def stamp(self, item: Item) -> tuple[int, int]:
        """Changes with the file: its time and size.

        Raises:
            DataError: the file is gone, or can't be named.
        """
        if not item.is_text:
            raise DataError(f"{item.name}: {item.error}")
        try:
            stat = item.path.stat()
        except OSError as error:
            item.error = f"{item.path} can't be read any more: {error.strerror or error}"
            raise DataError(item.error) from error
        return stat.st_mtime_ns, stat.st_size

    def spacing_of(self, item: Item, frame: int, box: Sequence[float]) -> tuple[float, float] | None:
        """(x, y) mm a pixel that hold for a box x1, y1, x2, y2."""
        if item.is_video or item.spacing is None:
            return None
        spacing_of = self._handles(item)[frame].spacing_of
        return spacing_of(box) if spacing_of else None

    def _handles(self, item: Item) -> list[Frame]:
        """The frames of a file that is no video, not decoded yet.

        Raises:
            DataError: it can't be read, or has gone.
        """
        key = (item.id, self.stamp(item))
        handles = self._opened.get(key)
        if handles is None:
            handles = []
            try:
                # One by one: of a clip that is cut off, the frames that it has can be annotated.
                for handle in sources.frames(item.source, item.name, self._window):
                    handles.append(handle)
            except DataError as error:
                if not handles:
                    raise
                item.error = str(error)
            self._opened.put(key, handles, item.path.stat().st_size)
        return handles

    def _decode(self, item: Item, frame: int) -> np.ndarray:
        if not item.is_video:
            return self._handles(item)[frame].read()
        for _ in range(2):
            for handle in item._video or ():
                number, image = handle.number or 0, handle.read()
                if number < frame:
                    # Looked at next, perhaps, by whoever goes on from an earlier frame.
                    self._pixels.put((item.id, number, self.stamp(item)), image, image.nbytes)
                elif number == frame:
                    return image
                else:
                    break
            # It lies before where the reader stands: read from the start.
            item._video = sources.frames(item.source, item.name, self._window)
        raise DataError(f"{item.path}: frame {frame} can't be decoded")


def _item(number: int, name: str, source: Source) -> Item:
    """An item; file systems have names that no encoding explains, which JSON can't hold."""
    shown = name.encode(errors="backslashreplace").decode()
    if shown == name:
        return Item(number, name, source)
    return Item(number, shown, source, error="its file name is not UTF-8: rename the file", is_text=False)


def _read_header(item: Item) -> None:
    """What is known without decoding; images alone have a header that is cheap."""
    ending = item.path.suffix.lower()
    item.is_clip = ending in (*sources.DICOMS, *sources.VIDEOS) or dicom_header.is_dicom(item.path)
    if item.is_clip:
        return
    # A damaged one says so when it is looked at.
    with contextlib.suppress(DataError):
        item.height, item.width = images.read_header(item.path).size


def _describe(item: Item, handles: list[Frame]) -> None:
    item.frames = len(handles)
    item.is_clip = item.is_clip or item.frames > 1
    if item.width == 0:
        item.height, item.width = handles[0].read().shape[:2]
    spacing_of = handles[0].spacing_of
    if spacing_of is not None:
        center = (item.width / 2, item.height / 2)
        item.spacing = spacing_of((*center, *center))


def _open_video(item: Item) -> None:
    item.frames, item.height, item.width = video.size(item.path)
