"""Small pictures, masks and files for fabricated archives, written by other libraries than the readers'."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import nibabel
import numpy as np
from PIL import Image

H, W = 48, 64


@dataclass
class Want:
    """One image that has to come out: `file` is the end of its raw path."""

    file: str
    objects: list[tuple[str, np.ndarray]]
    image: np.ndarray | None = None
    frame: int | None = None
    subject: str | None = None
    split: str | None = None
    extra: dict = field(default_factory=dict)


@dataclass
class Truth:
    """What was planted; `source` is what the converter is given."""

    wants: list[Want]
    failures: list[str] = field(default_factory=list)
    skips: dict[str, int] = field(default_factory=dict)
    notes: dict[str, int] = field(default_factory=dict)
    source: Path | None = None


def picture(seed: int, h: int = H, w: int = W, color: bool = False) -> np.ndarray:
    """A smooth random picture without zeros (and so without a field-of-view border)."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(30, 226, (6, 8, 3) if color else (6, 8), dtype=np.uint8)
    return cv2.resize(coarse, (w, h), interpolation=cv2.INTER_LINEAR)


def rect(y0: int, x0: int, y1: int, x1: int, h: int = H, w: int = W) -> np.ndarray:
    mask = np.zeros((h, w), bool)
    mask[y0:y1, x0:x1] = True
    return mask


def ell(y: int = 8, x: int = 10, h: int = H, w: int = W) -> np.ndarray:
    """An L, which no flip, rotation or transposition maps onto itself."""
    return rect(y, x, y + 24, x + 8, h, w) | rect(y + 16, x, y + 24, x + 20, h, w)


def ring(y0: int, x0: int, y1: int, x1: int) -> list[list[float]]:
    """The polygon whose raster, border included, is `rect(y0, x0, y1, x1)`."""
    return [[x0, y0], [x1 - 1, y0], [x1 - 1, y1 - 1], [x0, y1 - 1]]


def gray8(mask: np.ndarray) -> np.ndarray:
    return np.where(mask, 255, 0).astype(np.uint8)


def soft(mask: np.ndarray) -> np.ndarray:
    """0/255 with a rim of 90 outside and of 160 inside: thresholds at 128 give the mask back."""
    full = gray8(mask)
    outer, inner = cv2.dilate(full, np.ones((3, 3))) > 0, cv2.erode(full, np.ones((3, 3))) > 0
    return np.select([inner, mask, outer], [255, 160, 90], 0).astype(np.uint8)


def save(path: Path, array: np.ndarray, **options) -> np.ndarray:
    """Write with PIL in the format of the ending; gives what PIL reads back."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path, **options)
    return np.asarray(Image.open(path))


def jpg(path: Path, array: np.ndarray) -> None:
    save(path, array, quality=95, subsampling=0)


def bits(path: Path, mask: np.ndarray) -> None:
    """A 1-bit file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(gray8(mask)).convert("1").save(path)


def rgba(rgb: np.ndarray, alpha: np.ndarray | int = 255) -> np.ndarray:
    rgb = np.repeat(rgb[..., None], 3, 2) if rgb.ndim == 2 else rgb
    return np.dstack([rgb, np.broadcast_to(np.uint8(alpha), rgb.shape[:2])])


def paint(colors: dict[tuple[int, int, int], np.ndarray], h: int = H, w: int = W) -> np.ndarray:
    canvas = np.zeros((h, w, 3), np.uint8)
    for color, mask in colors.items():
        canvas[mask] = color
    return canvas


def nifti(path: Path, array: np.ndarray) -> None:
    """Write an array given slowest axis first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(np.ascontiguousarray(array.T), np.eye(4)), path)


def mha(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    kind = {"uint8": "MET_UCHAR", "int16": "MET_SHORT"}[str(array.dtype)]
    size = " ".join(map(str, array.shape[::-1]))
    head = f"ObjectType = Image\nNDims = {array.ndim}\nBinaryData = True\nCompressedData = False\n"
    head += f"DimSize = {size}\nElementType = {kind}\nElementDataFile = LOCAL\n"
    path.write_bytes(head.encode() + array.tobytes())


def video(path: Path, frames: list[np.ndarray], codec: str = "FFV1") -> None:
    """Lossless unless another codec is named."""
    path.parent.mkdir(parents=True, exist_ok=True)
    h, w = frames[0].shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter_fourcc(*codec), 20, (w, h))
    assert writer.isOpened()
    for frame in frames:
        writer.write(np.repeat(frame[..., None], 3, 2) if frame.ndim == 2 else frame[..., ::-1])
    writer.release()


def text(path: Path, content: str, encoding: str = "utf-8") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode(encoding))


def dump(path: Path, value, encoding: str = "utf-8") -> None:
    text(path, json.dumps(value, ensure_ascii=False), encoding)
