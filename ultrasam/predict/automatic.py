"""Masks of everything in an image, each object once: of boxes that the model proposes, or of many clicks.

Weights with a box head (`ultrasam.modeling.box_head`) say where objects are; each box is then segmented as
that of a user would be. Without one, it goes as in segment-anything's generator (Kirillov et al. 2023,
section 5), but what it does on masks of the image's size is done on the network's cells, and what is left is
looked at once more with its own box. A single click in ultrasound is rarely sure of its mask, so it needs
little to be looked at again; what counts is how sure the mask of the box is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ultrasam.errors import PromptError
from ultrasam.predict.encoded import Encoded
from ultrasam.predict.object_prompt import ObjectPrompt
from ultrasam.predict.proposals import apart, read_maps
from ultrasam.predict.segmentation import Segmentation

#: Clicks decoded together.
_BATCH = 64
#: Predicted IoU from which on a click's mask is looked at again.
_WORTH_A_LOOK = 0.5
#: By how much the threshold of logits is moved to see whether a mask is stable.
_OFFSET = 1.0
#: Predicted IoU of the mask of a box from a click, from which on it counts.
_LEAST_OF_CLICKS = 0.8


@dataclass(frozen=True)
class Everything:
    """What counts as found.

    Attributes:
        grid: click on a grid, also where the model can propose boxes.
        min_score: lowest score of a proposed box.
        points_per_side: of the grid: clicks along the longer side.
        min_iou: lowest predicted IoU; None for 0.8 with a grid, and any with proposed boxes.
        min_stability: of the grid: lowest IoU of a click's mask with itself at other thresholds.
        min_area: smallest share of the image.
        max_area: largest share of the image.
        overlap: of two masks with a higher IoU the surer one is kept.
        most: so many are looked at, the surest.
    """

    grid: bool = False
    min_score: float = 0.3
    points_per_side: int = 16
    min_iou: float | None = None
    min_stability: float = 0.3
    min_area: float = 0.002
    max_area: float = 0.7
    overlap: float = 0.5
    most: int = 12

    def __post_init__(self) -> None:
        if not 1 <= self.points_per_side <= 64:
            raise PromptError(f"there are 1 to 64 clicks along a side, not {self.points_per_side}")
        shares = (self.min_score, self.min_stability, self.min_area, self.max_area, self.overlap)
        if not all(0 <= share <= 1 for share in (*shares, self.min_iou or 0)):
            raise PromptError("thresholds, shares and overlap lie between 0 and 1")
        if self.most < 1:
            raise PromptError("at least one mask must be wanted")

    def least_iou(self, *, of_clicks: bool) -> float:
        """The lowest predicted IoU."""
        return self.min_iou if self.min_iou is not None else _LEAST_OF_CLICKS if of_clicks else 0.0


def find_everything(
    encoded: Encoded,
    wanted: Everything | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Segmentation:
    """Objects of one encoded image, the surest first.

    Those of proposed boxes have ``objectness``, and how sure they are is the root of its product with the
    predicted IoU.

    Args:
        encoded: from `Predictor.encode`.
        wanted: thresholds.
        progress: called with steps done and all steps; may raise to end the work.
    """
    wanted = wanted or Everything()
    if not wanted.grid and (maps := encoded.embedder.engine.propose(encoded.features[:1])) is not None:
        return _of_proposals(encoded, maps[0], wanted, progress)
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
    scores = np.array([one.scores[0] for one in looked], dtype=np.float32)
    small = _small(looked)
    rows = distinct(small, scores, wanted.overlap)
    least = wanted.least_iou(of_clicks=True)
    return _joined(looked, encoded, [row for row in rows if scores[row] >= least and small[row].any()])


def _of_proposals(
    encoded: Encoded, maps: np.ndarray, wanted: Everything, progress: Callable[[int, int], None]
) -> Segmentation:
    """Masks of the boxes that maps (5, h, w) of the box head propose."""
    found = read_maps(maps, encoded.geometries[0], most=wanted.most, least=wanted.min_score)
    looked: list[Segmentation] = []
    for number, box in enumerate(_fitted(encoded, found.boxes)):
        progress(number, len(found))
        looked.append(encoded.segment([ObjectPrompt(box=box)]))
    progress(max(len(found), 1), max(len(found), 1))
    iou = np.array([one.scores[0] for one in looked], dtype=np.float32)
    sure = np.sqrt(found.scores * iou.clip(0, 1))
    small = _small(looked)
    area = small.mean(axis=(1, 2)) if len(small) else np.zeros(0)
    good = (iou >= wanted.least_iou(of_clicks=False)) & (area >= wanted.min_area) & (area <= wanted.max_area)
    rows = [row for row in distinct(small, sure, wanted.overlap) if good[row]]
    return replace(_joined(looked, encoded, rows), objectness=found.scores[rows])


def _fitted(encoded: Encoded, boxes: np.ndarray) -> np.ndarray:
    """Boxes (N, 4) fitted to the masks that the whole image has in them: a head is not good at sides."""
    if not len(boxes):
        return boxes
    tight = encoded.whole().segment([ObjectPrompt(box=box) for box in boxes]).boxes
    # A mask of a pixel or none says nothing.
    return np.where((tight[:, 2:] >= tight[:, :2] + 2).all(axis=1, keepdims=True), tight, boxes)


def distinct(masks: np.ndarray, scores: np.ndarray, overlap: float) -> list[int]:
    """Indices of masks (N, h, w) bool, best first, of which no two have a higher IoU than ``overlap``."""
    flat = masks.reshape(len(masks), masks[0].size if len(masks) else 0).astype(np.float32)
    area = flat.sum(axis=1)
    both = flat @ flat.T
    iou = both / np.maximum(area[:, None] + area[None] - both, 1)
    return apart(np.argsort(-scores, kind="stable").tolist(), iou, overlap)


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
        good = (iou >= min(_WORTH_A_LOOK, wanted.least_iou(of_clicks=True))) & (
            firm >= wanted.min_stability * loose
        )
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


def _joined(looked: list[Segmentation], encoded: Encoded, rows: list[int]) -> Segmentation:
    """Some of several segmentations of one object each, as one."""
    chosen = [looked[row] for row in rows]
    logits = np.concatenate([one.logits for one in chosen]) if chosen else np.zeros((0, 1, 1), np.float32)
    return Segmentation(
        logits,
        np.array([one.scores[0] for one in chosen], dtype=np.float32),
        encoded.geometries[0].original,
        [one.sources[0] for one in chosen],
        [one.objects[0] for one in chosen],
    )


def _small(looked: list[Segmentation]) -> np.ndarray:
    """Masks (N, h, w) bool of one object each, for comparisons."""
    return np.stack([_shrunk(one.masks[0]) for one in looked]) > 0 if looked else np.zeros((0, 1, 1), bool)


def _shrunk(mask: np.ndarray) -> np.ndarray:
    """A mask (H, W) with a side of at most 256."""
    step = max(-(-max(mask.shape) // 256), 1)
    return mask[::step, ::step]
