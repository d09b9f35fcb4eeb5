"""TIFF stacks and animations (GIF, PNG, WebP): each of their pictures."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageSequence

from ultrasam.converters.engine import picture
from ultrasam.converters.engine.header import Header, PictureError
from ultrasam.data import images
from ultrasam.errors import DataError

#: What Pillow raises for damaged animations.
_DAMAGED = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    struct.error,
    Image.DecompressionBombError,
)


#: A picture's number in its clip, None where it is the only one of its file, and what makes it.
Numbered = tuple["int | None", Callable[[], NDArray[Any]]]


def samples(path: Path) -> Iterator[Numbered]:
    """Each picture of an image file, upright and as `ultrasam.data.images.read_samples` gives them.

    A page of a stack is decoded when it is asked for, an animation in order: its frames hold what changes.

    Raises:
        DataError: the file can't be read; or, after the pictures that can, how many it lacks.
    """
    header = images.read_header(path)
    # One picture of a GIF or TIFF file that breaks off is what is left of several.
    if len(header.pages) == 1 and (header.whole or header.kind not in ("gif", "tiff")):
        yield None, lambda: images.read_samples(path)
        return
    try:
        data = np.fromfile(path, np.uint8)
    except OSError as error:
        raise DataError(f"cannot read the image {path}: {error.strerror or error}") from error
    if header.kind == "tiff":
        for number, page in enumerate(header.pages):
            yield number, partial(_page, path, data, header, page)
        if not header.whole:
            raise DataError(f"{path} is cut off or damaged after {len(header.pages)} pages")
    else:
        yield from _animation(path, data, header)


def _page(path: Path, data: NDArray[Any], header: Header, page: int) -> NDArray[Any]:
    try:
        return picture.decode_page(path, data, header, page)
    except PictureError as error:
        raise DataError(f"{path}: page {page} is not readable: {error}") from error


def _animation(path: Path, data: NDArray[Any], header: Header) -> Iterator[Numbered]:
    count, stated, reason = 0, len(header.pages), "" if header.whole else "the file is cut off"
    try:
        with Image.open(io.BytesIO(data.tobytes())) as opened:
            # A PNG may begin with a picture that is shown only where animations are not known.
            aside = bool(opened.info.get("default_image"))
            for number, frame in enumerate(ImageSequence.Iterator(opened)):
                image = np.asarray(frame.convert("RGB"))[..., ::-1]
                if number >= aside:
                    yield count, partial(picture.upright, image, header.orientation)
                    count += 1
    except _DAMAGED as error:
        reason = str(error)
    if count < stated:
        raise DataError(f"{path}: {stated - count} of its {stated} frames are missing: {reason or 'damaged'}")
    if reason:
        raise DataError(f"{path} is damaged after {count} frames: {reason}")
