"""Masks of everything in an image: a grid of clicks, what is sure and stable, each once.

As segment-anything's generator (Kirillov et al. 2023, section 5), but what it does on masks of the image's
size is done on the network's cells, and what is left is looked at once more with its own box. A single click
in ultrasound is rarely sure of its mask, so it needs little to be looked at again; what counts is how sure
the mask of the box is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ultrasam.errors import PromptError
from ultrasam.predict.encoded import Encoded
from ultrasam.predict.object_prompt import ObjectPrompt
from ultrasam.predict.segmentation import Segmentation

#: Clicks decoded together.
_BATCH = 64
#: Predicted IoU from which on a click's mask is looked at again.
_WORTH_A_LOOK = 0.5
#: By how much the threshold of logits is moved to see whether a mask is stable.
_OFFSET = 1.0


@dataclass(frozen=True)
class Everything:
    """What counts as found.

    Attributes:
        points_per_side: clicks along the longer side.
        min_iou: lowest predicted IoU.
        min_stability: lowest IoU of a click's mask with itself at a higher and a lower threshold.
        min_area: smallest share of the image.
        max_area: largest share of the image.
        overlap: of two masks with a higher IoU the surer one is kept.
        most: so many are looked at again, the surest.
    """

    points_per_side: int = 16
    min_iou: float = 0.8
    min_stability: float = 0.3
    min_area: float = 0.002
    max_area: float = 0.7
    overlap: float = 0.5
    most: int = 12

    def __post_init__(self) -> None:
        if not 1 <= self.points_per_side <= 64:
            raise PromptError(f"there are 1 to 64 clicks along a side, not {self.points_per_side}")
        shares = (self.min_iou, self.min_stability, self.min_area, self.max_area, self.overlap)
        if not all(0 <= share <= 1 for share in shares):
            raise PromptError("thresholds, shares and overlap lie between 0 and 1")
        if self.most < 1:
            raise PromptError("at least one mask must be wanted")


def find_everything(
    encoded: Encoded,
    wanted: Everything | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Segmentation:
    """Objects of one encoded image, the surest first.

    Args:
        encoded: from `Predictor.encode`.
        wanted: thresholds.
        progress: called with steps done and all steps; may raise to end the work.
    """
    wanted = wanted or Everything()
    logits, iou, points = _clicked(encoded, wanted, progress)
    kept = distinct(logits > 0, iou, wanted.overlap)[: wanted.most]
    total = _steps(len(_grid(encoded, wanted))) + len(kept)
    looked: list[Segmentation] = []
    for number, row in enumerate(kept):
        click = ObjectPrompt([points[row].tolist()], [1])
        (box,) = encoded.whole().segment([click], multimask=True).boxes
        # A box of one pixel would be a mask that the padding swallowed.
        looked.append(encoded.segment([ObjectPrompt(box=box) if (box[2:] > box[:2] + 1).all() else click]))
        progress(total - len(kept) + number + 1, total)
    return _best(looked, encoded, wanted)


def distinct(masks: np.ndarray, scores: np.ndarray, overlap: float) -> list[int]:
    """Indices of masks (N, h, w) bool, best first, of which no two have a higher IoU than ``overlap``."""
    flat = masks.reshape(len(masks), masks[0].size if len(masks) else 0).astype(np.float32)
    area = flat.sum(axis=1)
    both = flat @ flat.T
    iou = both / np.maximum(area[:, None] + area[None] - both, 1)
    kept: list[int] = []
    for row in np.argsort(-scores, kind="stable").tolist():
        if not kept or iou[row, kept].max() <= overlap:
            kept.append(row)
    return kept


def _clicked(
    encoded: Encoded, wanted: Everything, progress: Callable[[int, int], None]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Logits (N, 4h, 4w), predicted IoU (N,) and clicks (N, 2) of all masks that pass the thresholds."""
    whole, grid = encoded.whole(), _grid(encoded, wanted)
    geometry = encoded.geometries[0]
    logits, scores, places = [], [], []
    for start in range(0, len(grid), _BATCH):
        clicks = grid[start : start + _BATCH]
        objects = [ObjectPrompt([click.tolist()], [1]) for click in clicks]
        answer = whole.answer(objects, multimask=True)
        stride = geometry.size // answer.logits.shape[-1]
        height, width = (-(-side // stride) for side in geometry.resized)
        shown = answer.logits[..., :height, :width]
        flat = shown.reshape(-1, *shown.shape[2:])
        iou = answer.iou.reshape(-1)
        area = (flat > 0).mean(axis=(1, 2))
        firm, loose = ((flat > edge).sum(axis=(1, 2)) for edge in (_OFFSET, -_OFFSET))
        good = (iou >= min(_WORTH_A_LOOK, wanted.min_iou)) & (firm >= wanted.min_stability * loose)
        good &= (area >= wanted.min_area) & (area <= wanted.max_area)
        logits.append(flat[good])
        scores.append(iou[good])
        places.append(np.repeat(clicks, answer.iou.shape[1], axis=0)[good])
        progress(start // _BATCH + 1, _steps(len(grid)) + wanted.most)
    return np.concatenate(logits), np.concatenate(scores), np.concatenate(places)


def _grid(encoded: Encoded, wanted: Everything) -> np.ndarray:
    """Clicks (N, 2) xy at equal distances over the image."""
    height, width = encoded.geometries[0].original
    step = max(height, width) / wanted.points_per_side
    counts = [max(round(side / step), 1) for side in (width, height)]
    x, y = ((np.arange(n) + 0.5) / n * side for n, side in zip(counts, (width, height), strict=True))
    return np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)


def _steps(clicks: int) -> int:
    return -(-clicks // _BATCH)


def _best(looked: list[Segmentation], encoded: Encoded, wanted: Everything) -> Segmentation:
    """Those of the second looks that are sure, each object once."""
    size = encoded.geometries[0].original
    scores = np.array([one.scores[0] for one in looked], dtype=np.float32)
    small = np.stack([_shrunk(one.masks[0]) for one in looked]) if looked else np.zeros((0, 1, 1))
    rows = [row for row in distinct(small > 0, scores, wanted.overlap) if scores[row] >= wanted.min_iou]
    rows = [row for row in rows if small[row].any()]
    chosen = [looked[row] for row in rows]
    logits = np.concatenate([one.logits for one in chosen]) if chosen else np.zeros((0, 1, 1), np.float32)
    return Segmentation(
        logits,
        np.array([one.scores[0] for one in chosen], dtype=np.float32),
        size,
        [one.sources[0] for one in chosen],
        [one.objects[0] for one in chosen],
    )


def _shrunk(mask: np.ndarray) -> np.ndarray:
    """A mask (H, W) with a side of at most 256, for comparisons."""
    step = max(-(-max(mask.shape) // 256), 1)
    return mask[::step, ::step]
