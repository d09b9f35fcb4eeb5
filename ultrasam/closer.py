"""Looking closer: the part of an image round a prompt, which the network then sees at its full resolution."""

from __future__ import annotations

from typing import Any

import numpy as np

#: Share of the region's side that the object takes; small models are trained with 0.25 to 0.9.
SHARE = 0.7
#: Smallest side of a region in pixels: less shows nothing but speckle.
SMALLEST = 32


def region(box: Any, height: int, width: int, share: float = SHARE) -> tuple[int, int, int, int]:
    """The square round a box, cut at the image's border.

    Args:
        box: (4,) x1, y1, x2, y2 in pixels.
        height: of the image.
        width: of the image.
        share: of the square's side that the box's longer side takes.

    Returns:
        x1, y1, x2, y2 in whole pixels, at least one pixel of the image.
    """
    x1, y1, x2, y2 = (float(v) for v in box)
    half = max(max(x2 - x1, y2 - y1) / share, SMALLEST) / 2
    x, y = (x1 + x2) / 2, (y1 + y2) / 2
    left, top = (int(np.clip(np.floor(c - half), 0, n - 1)) for c, n in ((x, width), (y, height)))
    right = int(np.clip(np.ceil(x + half), left + 1, width))
    bottom = int(np.clip(np.ceil(y + half), top + 1, height))
    return left, top, right, bottom
