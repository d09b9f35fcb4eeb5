"""Boxes and masks of a COCO file's annotations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import contradictions, segmentations
from .coco_parsed import Parsed, Problem, called, shown
from .segmentations import NUMBERS

#: No number of a box is larger, in pixels.
FARTHEST = 1_000_000


def boxes(parsed: Parsed, rows: list[int]) -> NDArray[np.float64]:
    """Look at the boxes of the rows that are whole, and take away those that are not.

    Returns:
        (n, 4) xywh of the rows that are left.
    """
    annotations = parsed.content["annotations"]
    good = []
    for row in rows:
        box = annotations[row].get("bbox")
        if type(box) is list and len(box) == 4 and NUMBERS.issuperset(map(type, box)):
            good.append(row)
        else:
            parsed.problems.append(_no_box(annotations[row]))
    values = [value for row in good for value in annotations[row]["bbox"]]
    boxes = segmentations.as_floats(values).reshape(-1, 4)
    near = np.abs(boxes).max(axis=1, initial=0) <= FARTHEST
    for index in np.flatnonzero(~near).tolist():
        parsed.problems.append(_no_box(annotations[good[index]]))
    rows[:] = [row for row, fine in zip(good, list(near), strict=True) if fine]
    return boxes[near]


def _no_box(annotation: Mapping[str, Any]) -> Problem:
    return Problem(
        "box",
        f"{called(annotation)} has no valid bbox (x, y, width, height, numbers of pixels): "
        f"{shown(annotation.get('bbox'))}",
    )


def refuse_fractions(parsed: Parsed, boxes: NDArray[np.float64]) -> None:
    """Say it where all boxes (n, 4) lie between 0 and 1, which no mask contradicts."""
    if len(boxes) and (boxes >= 0).all() and (boxes <= 1).all():
        said = "all boxes lie between 0 and 1, as fractions of the image do; COCO has pixels"
        parsed.problems.append(Problem("box", said))


def masks(
    parsed: Parsed, rows: list[int], boxes: NDArray[np.float64], sizes: Mapping[Any, tuple[int, int] | None]
) -> None:
    """Look at the masks of the rows that are whole, whose boxes are (n, 4) xywh."""
    annotations = parsed.content["annotations"]
    sized = [(i, row) for i, row in enumerate(rows) if sizes[annotations[row]["image_id"]]]
    of_image: list[Any] = [sizes[annotations[row]["image_id"]] for _, row in sized]
    for _, row in sized:
        if segmentations.is_flat(annotations[row].get("segmentation")):
            annotations[row] = {**annotations[row], "segmentation": [annotations[row]["segmentation"]]}
            parsed.notes["segmentations that are one flat polygon"] += 1
    masks = [annotations[row].get("segmentation") for _, row in sized]
    reasons = segmentations.faults(masks, of_image)
    for (_, row), reason in zip(sized, reasons, strict=True):
        if reason:
            message = f"{called(annotations[row])} has a malformed mask: {reason}"
            parsed.problems.append(Problem("malformed mask", message))
    fine = [j for j, reason in enumerate(reasons) if reason is None]
    rles = [segmentations.to_rle(masks[j], of_image[j]) for j in fine]
    areas, tight = segmentations.areas_and_boxes(rles)
    given = boxes[[sized[j][0] for j in fine]]
    hw = np.array([of_image[j] for j in fine], np.float64).reshape(-1, 2)
    _outside(parsed, [annotations[sized[j][1]] for j in fine], given, hw)
    there = (areas > 0) & (given[:, 2:] > 0).all(axis=1)
    wrong = contradictions.contradictory(given, tight) & there
    which = np.array([sized[j][1] for j in fine], np.int64)
    parsed.areas = np.full(len(annotations), np.nan)
    parsed.areas[which] = areas
    parsed.mask_boxes = np.zeros((len(annotations), 4))
    parsed.mask_boxes[which] = tight
    parsed.contradictory = np.zeros(len(annotations), bool)
    parsed.contradictory[which] = wrong
    if wrong.any():
        example = called(annotations[which[np.flatnonzero(wrong)[0]]])
        parsed.contradiction = contradictions.explain(
            given[wrong], tight[wrong], hw[wrong], int(there.sum()), example
        )


def _outside(
    parsed: Parsed,
    annotations: Sequence[Mapping[str, Any]],
    boxes: NDArray[np.float64],
    sizes: NDArray[np.float64],
) -> None:
    height, width = sizes.T
    x, y, w, h = boxes.T
    outside = (w > 0) & (h > 0) & ((x >= width) | (y >= height) | (x + w <= 0) | (y + h <= 0))
    for index in np.flatnonzero(outside).tolist():
        entry = annotations[index]
        parsed.problems.append(
            Problem(
                "box outside",
                f"{called(entry)} has its box {shown(entry['bbox'])} outside its image {entry['image_id']} "
                f"({width[index]:g} x {height[index]:g} pixels)",
            )
        )
