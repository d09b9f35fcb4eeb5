"""A simulated user who corrects a mask: the next click goes where it is most wrong.

As Sofiiuk et al. 2022 (RITM) and most benchmarks of interactive segmentation: in the middle of the larger
error, be it something that was missed (a positive click) or something too much (a negative one).
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ultrasam.types import MASK_STRIDE, NEGATIVE, PADDING, POSITIVE, Prompts


def error_click(
    predicted: NDArray[Any], truth: NDArray[Any], rng: np.random.Generator | None = None
) -> tuple[NDArray[Any], int] | None:
    """The click that corrects a mask.

    Args:
        predicted: (H, W) bool.
        truth: (H, W) bool.
        rng: for training: anywhere in the error at least half as deep as its middle; the middle where None.

    Returns:
        xy of the pixel's center, (2,) float64, and the label; None where nothing is wrong.
    """
    missed, excess = _depth(truth & ~predicted), _depth(predicted & ~truth)
    depth, label = (missed, POSITIVE) if missed.max() >= excess.max() else (excess, NEGATIVE)
    if depth.max() <= 0:
        return None
    if rng is None:
        place = int(depth.argmax())
    else:
        places = np.flatnonzero(depth >= depth.max() / 2)
        place = int(places[rng.integers(len(places))])
    y, x = divmod(place, truth.shape[1])
    return np.array([x + 0.5, y + 0.5]), label


def add_clicks(
    prompts: Prompts,
    logits: Tensor,
    targets: Tensor,
    rows: NDArray[Any],
    rng: np.random.Generator,
    mask_stride: int = MASK_STRIDE,
) -> Prompts:
    """Prompts with one more click in some rows, drawn from what low-resolution logits have wrong.

    Args:
        prompts: N prompts in pixels of the input.
        logits: (N, 1, h, w) of the last prediction.
        targets: (N, h, w), 0 or 1.
        rows: (N,) bool, which prompts are given a click; those whose mask is right are not.
        rng: draws the clicks.
        mask_stride: side of a cell of the logits in pixels of the input.
    """
    n, device = len(prompts), logits.device
    points = np.zeros((n, 1, 2), dtype=np.float32)
    labels = np.full((n, 1), PADDING, dtype=np.int64)
    predicted, truth = (logits[:, 0] > 0).cpu().numpy(), (targets > 0.5).cpu().numpy()
    for row in np.flatnonzero(rows):
        click = error_click(predicted[row], truth[row], rng)
        if click is not None:
            points[row, 0], labels[row, 0] = click[0] * mask_stride, click[1]
    more = torch.from_numpy(points).to(device), torch.from_numpy(labels).to(device)
    if prompts.points is not None and prompts.labels is not None:
        more = torch.cat([prompts.points, more[0]], dim=1), torch.cat([prompts.labels, more[1]], dim=1)
    return Prompts(
        prompts.image_index, *more, boxes=prompts.boxes, masks=prompts.masks, has_mask=prompts.has_mask
    )


def _depth(error: NDArray[Any]) -> NDArray[Any]:
    """How far each pixel of an error lies inside it, 0 outside; the image's border counts as an edge."""
    padded = cv2.copyMakeBorder(error.view(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    return cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
