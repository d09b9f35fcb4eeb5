"""What the simulator hands out: an image and the exact masks of its objects."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: Every category that an object can have, in the order of their ids in a COCO file (first is 1).
CATEGORIES: tuple[str, ...] = ("cyst", "tumour", "nodule", "vessel", "chamber", "head")

#: How beams lie in an image: parallel, from a curved array, from one point, all around an endoscope.
GEOMETRIES: tuple[str, ...] = ("linear", "convex", "sector", "radial")


@dataclass(frozen=True)
class PhantomObject:
    """One object of an image.

    Attributes:
        category: one of ``CATEGORIES``.
        mask: (H, W) bool, the pixels whose center lies inside the simulated outline and the field of view.
    """

    category: str
    mask: NDArray[np.bool_]


@dataclass(frozen=True)
class Phantom:
    """One simulated B-mode image.

    Attributes:
        image: (H, W) uint8, or (H, W, 3) uint8 RGB if simulated in color.
        objects: at least one; their masks do not overlap.
        geometry: one of ``GEOMETRIES``.
        organ: the kind of scene, one of ``ORGANS``.
    """

    image: NDArray[np.uint8]
    objects: tuple[PhantomObject, ...]
    geometry: str
    organ: str
