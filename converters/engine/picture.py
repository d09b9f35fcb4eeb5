"""Image files decoded, upright: every reader goes through here, `read` and `ultrasam.data.images`."""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
from PIL import GifImagePlugin, Image, TiffImagePlugin

from .header import DAMAGED, Header, PictureError, read_header
from .types import Array


def decode(path: Path) -> tuple[Header, Array]:
    """An image file as OpenCV decodes it, upright: (H, W), (H, W, 3) BGR or (H, W, 4) BGRA, of any depth.

    Of a stack or an animation it is the first picture.

    Raises:
        PictureError: the file is damaged, cut off, too large or of an unknown kind.
        OSError: it is missing, or reading is not allowed.
    """
    with path.open("rb") as file:
        header = read_header(file)
        file.seek(0)
        data = np.fromfile(file, np.uint8)
    return header, _first(path, data, header)


def decode_data(data: bytes | memoryview, name: Path) -> tuple[Header, Array]:
    """The bytes of an image file as `decode` gives the file.

    Raises:
        PictureError: as there.
    """
    header = read_header(io.BytesIO(data))
    return header, _first(name, np.frombuffer(data, np.uint8), header)


def _first(path: Path, data: Array, header: Header) -> Array:
    if header.kind == "gif":  # OpenCV reads it in its newest versions alone
        return first_of_gif(data)
    # A TIFF file's first picture may be whole where the list of its pages is not.
    if not header.whole and header.kind != "tiff":
        raise PictureError("the file is cut off")
    return decode_page(path, data, header, header.pages[0])


def decode_page(path: Path, data: Array, header: Header, page: int) -> Array:
    """One picture of a file and its bytes, upright; files other than TIFF have page 0 alone here.

    Raises:
        PictureError: it cannot be decoded.
    """
    try:
        if page:
            _, found = cv2.imdecodemulti(data, cv2.IMREAD_UNCHANGED, range=(page, page + 1))
            image = found[0] if found else None
        else:
            # From memory instead of by name: OpenCV cannot open every file name on every system.
            image = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise PictureError(f"OpenCV cannot decode it ({error.err})") from error
    if image is None:
        raise PictureError("empty, damaged or of an unknown kind")
    if header.kind == "tiff":
        _check_tiff(path, page)
    # OpenCV turns TIFF pictures itself.
    return image if header.kind == "tiff" else upright(image, header.orientation)


def _check_tiff(path: Path, page: int) -> None:
    """OpenCV gives gray or noise for damaged strips and says nothing; Pillow decodes them and tells."""
    with path.open("rb") as file:
        try:
            opened = TiffImagePlugin.TiffImageFile(file)
            opened.seek(page)
        except (*DAMAGED, OSError):
            return  # a depth that Pillow does not know: nobody can tell
        try:
            opened.load()
        except (*DAMAGED, OSError) as error:
            raise PictureError("its pixels are damaged") from error


def first_of_gif(data: Array) -> Array:
    """The first picture of a GIF's bytes as (H, W, 3) BGR."""
    try:
        image = np.asarray(GifImagePlugin.GifImageFile(io.BytesIO(data.tobytes())).convert("RGB"))
    except (*DAMAGED, OSError, Image.DecompressionBombError) as error:
        raise PictureError("its first picture is damaged") from error
    return np.ascontiguousarray(image[..., ::-1])


def upright(image: Array, orientation: int) -> Array:
    """A stored picture (H, W, ...) turned and mirrored as EXIF's orientation (CIPA DC-008, tag 274) says."""
    if orientation in (5, 6, 7, 8):
        image = image.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    return np.ascontiguousarray(image)
