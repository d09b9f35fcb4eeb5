"""Objects that something proposes on an image without a prompt: boxes, with masks where it makes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from ultrasam.data import coco
from ultrasam.predict.encoded import Encoded
from ultrasam.predict.object_prompt import ObjectPrompt


@dataclass(frozen=True)
class Detections:
    """N objects of one image, the surest first.

    Attributes:
        boxes: (N, 4) x1, y1, x2, y2 in continuous pixels of the image.
        scores: (N,) how sure the proposer is of each, 0 to 1.
        labels: (N,) indices into the proposer's names; zeros where it has none.
        masks: (N, H, W) bool, or None where it finds boxes alone.
    """

    boxes: np.ndarray
    scores: np.ndarray
    labels: np.ndarray
    masks: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.scores)


class Proposer(Protocol):
    """Finds objects without a prompt."""

    @property
    def title(self) -> str:
        """What people know it by."""

    @property
    def names(self) -> Sequence[str]:
        """Of its classes; empty where it knows no kinds."""

    def propose(self, encoded: Encoded) -> Detections:
        """What is in the first image: found in its pixels, ``encoded.images``, or its features."""


@dataclass(frozen=True)
class Proposed:
    """One proposed object with its mask.

    Attributes:
        mask: COCO's compressed run-length code of the whole image.
        box: x1, y1, x2, y2 that the mask was made from; None where the proposer made it.
        name: of its class; None where the proposer knows no kinds.
        score: how sure the proposer is that there is one.
        iou: predicted for the mask; the score where the proposer made it.
    """

    mask: Mapping[str, Any]
    box: tuple[float, float, float, float] | None
    name: str | None
    score: float
    iou: float


def segmented(
    encoded: Encoded, proposer: Proposer, progress: Callable[[int, int], None] = lambda done, total: None
) -> Iterator[Proposed | None]:
    """Everything that is proposed, as masks, the surest first.

    A box without a mask becomes a prompt, and the mask is the one that the model finds for it.

    Args:
        encoded: from `Predictor.encode`.
        proposer: what finds the objects.
        progress: called with steps done and all steps; may raise to end the work.

    Yields:
        each object; None for one that has no pixel of the image.
    """
    progress(0, 1)
    found = proposer.propose(encoded)
    for row in range(len(found)):
        progress(row, len(found))
        yield _segmented(encoded, found, row, proposer.names)
    progress(max(len(found), 1), max(len(found), 1))


def _segmented(encoded: Encoded, found: Detections, row: int, names: Sequence[str]) -> Proposed | None:
    name = names[int(found.labels[row])] if len(names) else None
    score = float(found.scores[row])
    if found.masks is not None:
        mask = found.masks[row]
        return Proposed(coco.encode(mask), None, name, score, score) if mask.any() else None
    height, width = encoded.geometries[0].original
    x1, y1, x2, y2 = (
        np.clip(found.boxes[row].astype(float), 0, [width, height, width, height]).round(2).tolist()
    )
    if x2 - x1 < 1 or y2 - y1 < 1:
        return None
    made = encoded.segment([ObjectPrompt(box=[x1, y1, x2, y2])])
    if made.sources[0].part is None:
        return None
    return Proposed(made.rles()[0], (x1, y1, x2, y2), name, score, float(made.scores[0]))
