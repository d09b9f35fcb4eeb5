"""Image to network input and back: one implementation for training, testing, prediction and export.

The longest side is resized to S, the rest is padded at the right and bottom with zeros after
normalization. `Geometry` carries the numbers of one image and is the exact inverse for masks and points.
OpenCV's bilinear resize (without antialias) is what the published model was trained with.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from ultrasam.errors import DataError, UltraSamError

if TYPE_CHECKING:
    from torch import Tensor

#: ImageNet statistics in 0..255, RGB order.
PIXEL_MEAN = (123.675, 116.28, 103.53)
PIXEL_STD = (58.395, 57.12, 57.375)

#: Share of a region's side that the prompted object takes; small models are trained with 0.25 to 0.9.
REGION_SHARE = 0.7
#: Smallest side of a region in pixels: less shows nothing but speckle.
REGION_SMALLEST = 32

#: ``round`` is segment-anything's rule, ``truncate`` is that of the published UltraSam, whose images are
#: often a pixel smaller.
SizeRule = Literal["round", "truncate"]
#: ``opencv`` is bilinear without antialias, as the published UltraSam was trained; ``pillow`` smooths where
#: it shrinks, as segment-anything's predictor does.
Resampling = Literal["opencv", "pillow"]
#: ``logits`` upsamples and then thresholds (segment-anything); ``official`` thresholds first, and every
#: pixel that an enlarged foreground cell touches counts, as in the published UltraSam.
Postprocessing = Literal["logits", "official"]
#: ``imagenet`` takes ImageNet's mean and deviation out; ``minmax`` stretches each image to 0..1 (MedSAM's).
Normalization = Literal["imagenet", "minmax"]


def require_one_of(name: str, value: object, choices: Any) -> None:
    """Refuse a value that is none of a ``Literal``'s.

    Raises:
        UltraSamError: it is none.
    """
    if value not in get_args(choices):
        raise UltraSamError(f"{name} is one of {', '.join(get_args(choices))}, not {value!r}")


@dataclass(frozen=True)
class Geometry:
    """How one image lies in the network's input.

    Attributes:
        original: (H, W) of the image in pixels.
        resized: (h, w) of the image inside the input.
        size: S, side of the square input.
    """

    original: tuple[int, int]
    resized: tuple[int, int]
    size: int

    @classmethod
    def of(cls, height: int, width: int, size: int, rule: SizeRule = "round") -> Geometry:
        """The geometry of an image of ``height`` x ``width`` pixels in an input of side ``size``."""
        if height < 1 or width < 1:
            raise DataError(f"an image of {height} x {width} pixels cannot be segmented")
        scale = size / max(height, width)
        add = 0.5 if rule == "round" else 0.0
        resized = (max(int(height * scale + add), 1), max(int(width * scale + add), 1))
        return cls((height, width), resized, size)

    @property
    def scale(self) -> tuple[float, float]:
        """(x, y) factors from image to input; they differ a little, since sides are whole pixels."""
        return self.resized[1] / self.original[1], self.resized[0] / self.original[0]

    def to_input(self, xy: NDArray[Any]) -> NDArray[Any]:
        """Points (..., 2) or boxes (..., 4) of the image in the input's pixels, float64."""
        xy = np.asarray(xy, dtype=np.float64)
        return xy * np.tile(self.scale, xy.shape[-1] // 2)

    def to_original(self, xy: NDArray[Any]) -> NDArray[Any]:
        """The inverse of `to_input`."""
        xy = np.asarray(xy, dtype=np.float64)
        return xy / np.tile(self.scale, xy.shape[-1] // 2)


def resize_image(image: NDArray[Any], geometry: Geometry, resampling: Resampling = "opencv") -> NDArray[Any]:
    """An image (H, W, 3) uint8 at its size in the input, (h, w, 3) uint8."""
    if image.shape[:2] != geometry.original:
        raise DataError(f"image is {image.shape[:2]}, its geometry says {geometry.original}")
    height, width = geometry.resized
    if resampling == "pillow":
        from PIL import Image

        return np.array(Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR))
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)


def normalize(image: Tensor, how: Normalization = "imagenet") -> Tensor:
    """RGB (..., 3, h, w) in 0..255 -> float32, by ImageNet's mean and deviation or from 0 to 1."""
    import torch

    if how == "minmax":
        image = image.float()
        low, high = image.amin((-3, -2, -1), keepdim=True), image.amax((-3, -2, -1), keepdim=True)
        return (image - low) / (high - low).clamp(min=1e-8)
    mean = torch.tensor(PIXEL_MEAN, device=image.device).view(3, 1, 1)
    std = torch.tensor(PIXEL_STD, device=image.device).view(3, 1, 1)
    return (image - mean) / std


def pad(image: Tensor, size: int) -> Tensor:
    """Zeros at the right and bottom: (..., h, w) -> (..., S, S)."""
    from torch.nn import functional as F

    height, width = image.shape[-2:]
    if height > size or width > size:
        raise DataError(
            f"an image of {height} x {width} pixels does not fit the input of {size}; resize it first"
        )
    return F.pad(image, (0, size - width, 0, size - height))


def to_input(
    image: NDArray[Any],
    size: int,
    rule: SizeRule = "round",
    resampling: Resampling = "opencv",
    normalization: Normalization = "imagenet",
) -> tuple[Tensor, Geometry]:
    """An RGB image (H, W, 3) uint8 as network input (3, S, S) float32, and its geometry."""
    import torch

    geometry = Geometry.of(image.shape[0], image.shape[1], size, rule)
    return torch.from_numpy(input_array(image, geometry, resampling, normalization)), geometry


def input_array(
    image: NDArray[Any],
    geometry: Geometry,
    resampling: Resampling = "opencv",
    normalization: Normalization = "imagenet",
) -> NDArray[Any]:
    """An RGB image (H, W, 3) uint8 as network input (3, S, S) float32: resized, `normalize`d and padded."""
    resized = resize_image(image, geometry, resampling).transpose(2, 0, 1)
    made = np.zeros((3, geometry.size, geometry.size), dtype=np.float32)
    inside = made[:, : resized.shape[1], : resized.shape[2]]
    if normalization == "minmax":
        low, high = float(resized.min()), float(resized.max())
        np.divide(np.subtract(resized, low, dtype=np.float32), np.float32(max(high - low, 1e-8)), out=inside)
        return made
    mean, deviation = (np.array(v, dtype=np.float32)[:, None, None] for v in (PIXEL_MEAN, PIXEL_STD))
    np.divide(np.subtract(resized, mean, dtype=np.float32), deviation, out=inside)
    return made


def upsample_logits(logits: Tensor, geometry: Geometry) -> Tensor:
    """Logits (N, M, 4h, 4w) -> (N, M, H, W) float in the original image, as segment-anything does."""
    from torch.nn import functional as F

    logits = F.interpolate(logits, (geometry.size, geometry.size), mode="bilinear", align_corners=False)
    logits = logits[..., : geometry.resized[0], : geometry.resized[1]]
    return F.interpolate(logits, geometry.original, mode="bilinear", align_corners=False)


def to_masks(logits: Tensor, geometry: Geometry, mode: Postprocessing = "logits") -> Tensor:
    """Logits (N, M, 4h, 4w) -> masks (N, M, H, W) bool in the original image."""
    if mode == "official":
        return upsample_logits((logits > 0).float(), geometry) > 0
    return upsample_logits(logits.float(), geometry) > 0


def region(box: ArrayLike, height: int, width: int, share: float = REGION_SHARE) -> tuple[int, int, int, int]:
    """The square round a box, cut at the image's border.

    Args:
        box: (4,) x1, y1, x2, y2 in pixels.
        height: of the image.
        width: of the image.
        share: of the square's side that the box's longer side takes.

    Returns:
        x1, y1, x2, y2 in whole pixels, at least one pixel of the image.
    """
    x1, y1, x2, y2 = (float(v) for v in np.asarray(box))
    half = max(max(x2 - x1, y2 - y1) / share, REGION_SMALLEST) / 2
    x, y = (x1 + x2) / 2, (y1 + y2) / 2
    left, top = (int(np.clip(np.floor(c - half), 0, n - 1)) for c, n in ((x, width), (y, height)))
    right = int(np.clip(np.ceil(x + half), left + 1, width))
    bottom = int(np.clip(np.ceil(y + half), top + 1, height))
    return left, top, right, bottom
