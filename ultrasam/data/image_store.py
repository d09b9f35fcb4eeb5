"""The images of COCO files stored again, to be read in less time; samples stay the same."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from ultrasam.data import coco, files
from ultrasam.data.coco import CocoImage
from ultrasam.data.images import read_as_stated, without_twin_channels
from ultrasam.errors import DataError, OutputError

#: ``raw`` is not compressed (Netpbm), and read quickest; ``webp`` is lossless WebP, and smallest.
Kind = Literal["raw", "webp"]
#: Endings of gray and of color images, and what OpenCV is told.
_KINDS: dict[Kind, tuple[tuple[str, str], list[int]]] = {
    "raw": ((".pgm", ".ppm"), []),
    "webp": ((".webp", ".webp"), [cv2.IMWRITE_WEBP_QUALITY, 101]),
}


@dataclass
class Stored:
    """What was stored.

    Attributes:
        images: how many, those of an earlier call included.
        kept: of them, those of an earlier call.
        gray: of them, those with one channel.
        bytes_before: of all their files before.
        bytes_now: of all their files now.
        failed: what is wrong with those that could not be; no COCO file is written then.
        written: the COCO files.
    """

    images: int = 0
    kept: int = 0
    gray: int = 0
    bytes_before: int = 0
    bytes_now: int = 0
    failed: list[str] = field(default_factory=list)
    written: list[Path] = field(default_factory=list)


@dataclass(frozen=True)
class _Image:
    """A stored image: its file, whether it was there before, and the bytes of its source."""

    path: Path
    kept: bool
    source_bytes: int


def store(
    paths: Sequence[Path],
    folder: Path | None,
    out: Path,
    kind: Kind,
    *,
    workers: int = 1,
    each: Callable[[], object] = lambda: None,
) -> Stored:
    """Store the images of COCO files in ``out/images``, upright, and the files with their new names.

    `ultrasam.data.images.read_image` gives the same pixels for both, and the samples of data sets are the
    same. Color images whose three channels are equal are stored as gray. An image whose file has not
    changed since an earlier call is kept.

    Args:
        paths: COCO files, which become ``out/annotations/NAME``.
        folder: that their names start from; None for ``../images`` beside each.
        out: the folder.
        kind: how images are stored.
        workers: threads.
        each: called after every image, for a progress bar.

    Raises:
        DataError: a COCO file can't be used, would be overwritten or two have one name, or image files are
            missing.
        OutputError: something can't be written.
    """
    if len({path.name for path in paths}) < len(paths):
        raise DataError("several COCO files have one name: store those of one folder at a time")
    parsed = [(path, coco.read(path, coco.Need.MASKS)) for path in paths]
    sources: dict[str, CocoImage] = {}
    for path, content in parsed:
        for image in coco.all_images(path, folder or path.parent.parent / "images", content):
            same = sources.setdefault(_inside(image.entry["file_name"]), image)
            if same.path != image.path:
                raise DataError(f"{path}: {image.path} and {same.path} have one name: store them apart")
    targets = {path: out / "annotations" / path.name for path, _ in parsed}
    for path, target in targets.items():
        if target.resolve() == path.resolve():
            raise DataError(f"{path} would be overwritten: choose another folder to store to")
    found, names = Stored(), {}
    with ThreadPoolExecutor(workers) as pool:
        work = partial(_stored, out / "images", kind)
        for name, result in zip(sources, pool.map(work, sources, sources.values()), strict=True):
            each()
            if isinstance(result, DataError):
                found.failed.append(str(result))
                continue
            names[name] = result.path.relative_to(out / "images").as_posix()
            found.images += 1
            found.kept += result.kept
            found.gray += result.path.suffix == ".pgm"
            found.bytes_before += result.source_bytes
            found.bytes_now += result.path.stat().st_size
    for path, content in parsed if not found.failed else ():
        entries = content.content["images"]
        images = [{**entry, "file_name": names[_inside(entry["file_name"])]} for entry in entries]
        found.written.append(targets[path])
        files.write_json(found.written[-1], {**content.content, "images": images})
    return found


def _inside(file_name: str) -> str:
    """A name that leads nowhere else than into the folder."""
    return "/".join(part for part in re.split(r"[/\\]", file_name) if part not in ("", ".", ".."))


def _stored(folder: Path, kind: Kind, name: str, image: CocoImage) -> _Image | DataError:
    """An image stored, or what is wrong with it."""
    (gray, color), _ = _KINDS[kind]
    # Two images may differ in their endings alone.
    targets = [folder / f"{name}{ending}" for ending in (gray, color)]
    try:
        stat = image.path.stat()
        for target in targets:
            if target.is_file() and target.stat().st_mtime_ns == stat.st_mtime_ns:
                return _Image(target, True, stat.st_size)
        where = f"image {image.id}"
        pixels = without_twin_channels(read_as_stated(image.path, image.size, where, gray_view=True))
        target = targets[pixels.ndim == 3]
        data = _encoded(pixels, target.suffix, kind)
        with files.atomic(target) as part:
            part.write_bytes(data)
            os.utime(part, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    except OutputError:
        raise
    except OSError as error:
        return DataError(f"cannot read the image {image.path}: {error.strerror or error}")
    except DataError as error:
        return error
    return _Image(target, False, stat.st_size)


def _encoded(pixels: NDArray[Any], suffix: str, kind: Kind) -> bytes:
    """The bytes of a file of (H, W) or (H, W, 3) uint8 RGB, which holds exactly these pixels."""
    stored = pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    done, data = cv2.imencode(suffix, stored, _KINDS[kind][1])
    again = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if done else None
    if again is None or not np.array_equal(again[..., 0] if again.ndim > stored.ndim else again, stored):
        raise DataError(f"OpenCV {cv2.__version__} does not store {suffix[1:]} without losses")
    return data.tobytes()
