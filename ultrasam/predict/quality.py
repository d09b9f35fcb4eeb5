"""How far a mask can be believed: predicted IoU, checked by asking again, and brought to what it is worth.

The network's own prediction of its IoU is overconfident where it has seen nothing alike. Masks that hold stay
the same when the prompt is moved a little; so the predicted IoU is multiplied by how much the masks of moved
prompts agree with the mask, and the product is mapped to the IoU that masks of such a product had on images
kept for that (isotonic regression, Zadrozny & Elkan 2002). The interval of the area is split conformal
(Papadopoulos et al. 2002): from the ratios of true to found areas of the same images. It holds for images
like those.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ultrasam.errors import UltraSamError
from ultrasam.predict.closer import CloserEncoded
from ultrasam.predict.encoded import Encoded
from ultrasam.predict.object_prompt import ObjectPrompt
from ultrasam.predict.segmentation import Segmentation
from ultrasam.types import NEGATIVE, QualityFit

#: Moved prompts an object, share of its size that sides of a box and points are moved by at most.
JITTERS, BOX_SHARE, POINT_SHARE = 6, 0.05, 0.1


@dataclass(frozen=True)
class Quality:
    """What is to be expected of N masks.

    Attributes:
        agreement: (N,) mean IoU of the masks of moved prompts with the mask.
        quality: (N,) expected IoU with what a person would have drawn; the plain product of predicted IoU and
            agreement where the weights bring no fit.
        area: (N, 2) interval in pixels that holds the true area in nine of ten cases; NaN without a fit.
    """

    agreement: np.ndarray
    quality: np.ndarray
    area: np.ndarray

    def entries(self) -> list[dict[str, float]]:
        """What a COCO annotation of each mask is told."""
        found = []
        for agreement, quality, (low, high) in zip(self.agreement, self.quality, self.area, strict=True):
            entry = {"quality": round(float(quality), 4), "agreement": round(float(agreement), 4)}
            if np.isfinite(low):
                entry |= {"area_low_px": round(float(low), 1), "area_high_px": round(float(high), 1)}
            found.append(entry)
        return found


def assess(
    encoded: Encoded, found: Segmentation, *, multimask: bool = False, fit: QualityFit | None = None
) -> Quality:
    """Judge the masks that `Encoded.segment` gave on the first image.

    It costs `JITTERS` decoder calls an object on one embedding, and with closer views one more encoding of
    the region round it.

    Args:
        encoded: the image.
        found: its masks.
        multimask: as it was segmented with.
        fit: from the weights (``model.usage.quality``) where None.
    """
    fit = fit or encoded.embedder.engine.usage.quality
    agreement = _agreement(encoded, found.objects, multimask)
    product = np.clip(found.scores, 0, 1) * agreement
    kinds = [kind_of(entry) for entry in found.objects]
    areas = np.array([mask.sum() for mask in found.masks], dtype=np.float64)
    if fit is None:
        return Quality(agreement, product, np.full((len(found), 2), np.nan))
    quality = [fit.expected(kind, value) for kind, value in zip(kinds, product, strict=True)]
    ratios = [fit.area_ratios(kind) for kind in kinds]
    return Quality(agreement, np.array(quality), areas[:, None] * np.array(ratios).reshape(-1, 2))


def expected(encoded: Encoded, entry: ObjectPrompt, score: float, *, multimask: bool = False) -> float | None:
    """Expected IoU of the mask that a prompt gave on the first image; None where the weights bring no fit.

    Args:
        encoded: the image.
        entry: the prompt.
        score: predicted IoU of its mask.
        multimask: as it was segmented with.
    """
    fit = encoded.embedder.engine.usage.quality
    if fit is None:
        return None
    (agreement,) = _agreement(encoded, [entry], multimask)
    return fit.expected(kind_of(entry), float(np.clip(score, 0, 1) * agreement))


def kind_of(entry: ObjectPrompt) -> str:
    """``box`` for a prompt with a box, else ``point``: fits differ."""
    return "point" if entry.box is None else "box"


def _agreement(encoded: Encoded, objects: Sequence[ObjectPrompt], multimask: bool) -> np.ndarray:
    """(N,) mean IoU of moved prompts' masks with the mask, on the network's cells."""
    if not objects:
        return np.zeros(0)
    several = multimask and not encoded.embedder.engine.usage.single
    near, asked = encoded.nearer(objects) if isinstance(encoded, CloserEncoded) else (encoded, objects)
    near = near.whole()
    asked = near.check(asked)
    base = near.answer(asked, multimask=several, best=True).logits[:, 0] > 0
    sizes = [_size(mask, near, entry) for mask, entry in zip(base, asked, strict=True)]
    rng = np.random.default_rng(0)
    moved = [_moved(asked[i], sizes[i], near, rng) for _ in range(JITTERS) for i in range(len(asked))]
    again = near.answer(moved, multimask=several, best=True).logits[:, 0] > 0
    again = again.reshape(JITTERS, len(asked), *again.shape[1:])
    both, either = ((op(again, base[None])).sum((2, 3)) for op in (np.logical_and, np.logical_or))
    return np.where(either > 0, both / np.maximum(either, 1), 0.0).mean(0)


def _size(mask: np.ndarray, encoded: Encoded, entry: ObjectPrompt) -> np.ndarray:
    """Width and height (2,) of an object in pixels of its image: of its box, else as a disc of its area."""
    if entry.box is not None:
        return np.asarray(entry.box[2:] - entry.box[:2])
    geometry = encoded.geometries[entry.image]
    cell = geometry.size / mask.shape[0]
    return 2 * np.sqrt(max(int(mask.sum()), 1) / np.pi) * cell / np.array(geometry.scale)


def _moved(entry: ObjectPrompt, size: np.ndarray, encoded: Encoded, rng: np.random.Generator) -> ObjectPrompt:
    """A prompt with every side of its box, and its points as one, moved a little."""
    height, width = encoded.geometries[entry.image].original
    box, points = entry.box, entry.points
    if box is not None:
        box = np.clip(
            box + rng.uniform(-BOX_SHARE, BOX_SHARE, 4) * np.tile(size, 2), 0, np.tile([width, height], 2)
        )
        if not (box[2:] > box[:2]).all():
            box = entry.box
    if points is not None:
        shift = rng.uniform(-POINT_SHARE, POINT_SHARE, 2) * size
        inside = entry.labels > NEGATIVE
        points = np.where(inside[:, None], np.clip(points + shift, 0, [width, height]), points)
    return replace(entry, box=box, points=points)


def fit_quality(
    kinds: Sequence[str], products: np.ndarray, ious: np.ndarray, ratios: np.ndarray, coverage: float = 0.9
) -> QualityFit:
    """Fit the maps from masks whose IoU is known.

    Args:
        kinds: of N prompts, ``box`` or ``point``.
        products: (N,) predicted IoU times agreement.
        ious: (N,) with the annotated masks.
        ratios: (N,) annotated area over found area.
        coverage: of the interval of the area.

    Raises:
        UltraSamError: fewer than 20 masks of a kind.
    """
    from scipy.optimize import isotonic_regression

    curves, areas = {}, {}
    for kind in ("box", "point"):
        rows = np.array([k == kind for k in kinds], dtype=bool)
        n = int(rows.sum())
        if n < 20:
            raise UltraSamError(
                f"{n} masks of {kind} prompts are too few to fit their quality; 20 are needed"
            )
        order = np.argsort(products[rows], kind="stable")
        x, y = products[rows][order], isotonic_regression(ious[rows][order]).x
        # A dozen knots: steps of single masks are chance.
        groups = np.array_split(np.arange(n), min(12, n // 10))
        knots = [(float(x[g].mean()), float(y[g].mean())) for g in groups]
        curves[kind] = tuple((round(a, 4), round(b, 4)) for a, b in knots)
        tail = np.ceil((n + 1) * (1 + coverage) / 2) / n, np.floor((n + 1) * (1 - coverage) / 2) / n
        high, low = (float(np.quantile(ratios[rows], np.clip(t, 0, 1))) for t in tail)
        areas[kind] = (round(low, 4), round(high, 4))
    return QualityFit(curves, areas)
