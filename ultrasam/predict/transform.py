"""Images and coordinates to the network's input, under segment-anything's names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ultrasam.preprocess import Geometry, Resampling, resize_image

if TYPE_CHECKING:
    from torch import Tensor


class Transform:
    """What code written for ``SamPredictor.transform`` calls; coordinates stay pixel indices.

    Args:
        target_length: S, side of the network's input.
        resampling: see `ultrasam.preprocess`.
    """

    def __init__(self, target_length: int, resampling: Resampling = "opencv") -> None:
        self.target_length = target_length
        self.resampling: Resampling = resampling

    def apply_image(self, image: np.ndarray) -> np.ndarray:
        """(H, W, 3) uint8 -> (h, w, 3) uint8."""
        return resize_image(image, self._geometry(image.shape[:2]), self.resampling)

    def apply_coords(self, coords: np.ndarray, original_size: tuple[int, ...]) -> np.ndarray:
        """Points (..., 2) of an image (H, W) in the input."""
        return self._geometry(original_size).to_input(coords)

    def apply_boxes(self, boxes: np.ndarray, original_size: tuple[int, ...]) -> np.ndarray:
        """Boxes (N, 4) of an image (H, W) in the input."""
        return self._geometry(original_size).to_input(np.asarray(boxes).reshape(-1, 4))

    def apply_coords_torch(self, coords: Tensor, original_size: tuple[int, ...]) -> Tensor:
        """`apply_coords` for tensors."""
        return coords.float() * coords.float().new_tensor(self._geometry(original_size).scale)

    def apply_boxes_torch(self, boxes: Tensor, original_size: tuple[int, ...]) -> Tensor:
        """`apply_boxes` for tensors."""
        return self.apply_coords_torch(boxes.reshape(-1, 2, 2), original_size).reshape(-1, 4)

    def _geometry(self, size: tuple[int, ...]) -> Geometry:
        return Geometry.of(int(size[0]), int(size[1]), self.target_length)
