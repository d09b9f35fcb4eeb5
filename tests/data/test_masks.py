"""Boxes and run-length codes of masks, against pycocotools and by hand."""

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from ultrasam.data.masks import compress, counts, tight_box, tight_boxes, to_xywh, to_xyxy


def oracle(mask: np.ndarray) -> dict:
    code = coco_mask.encode(np.asfortranarray(mask, np.uint8))
    return {"size": list(code["size"]), "counts": code["counts"].decode()}


def test_tight_boxes():
    masks = np.zeros((4, 9, 12), dtype=bool)
    masks[0, 2:5, 3:7] = True
    masks[1, 8, 11] = True
    masks[3] = True
    boxes = tight_boxes(masks)
    assert boxes.tolist() == [[3, 2, 7, 5], [11, 8, 12, 9], [0, 0, 0, 0], [0, 0, 12, 9]]
    assert tight_box(masks[0]).tolist() == [3, 2, 7, 5] and boxes.dtype == np.float64
    assert tight_boxes(masks[:0]).shape == (0, 4)


def test_tight_boxes_are_those_of_pycocotools():
    rng = np.random.default_rng(0)
    for _ in range(50):
        mask = rng.random(rng.integers(1, 20, 2)) < 0.1
        assert np.array_equal(to_xywh(tight_boxes([mask]))[0], coco_mask.toBbox(oracle(mask)))


@pytest.mark.parametrize("shape", [(4,), (0, 4), (3, 4), (2, 3, 4)])
def test_corners_and_back(shape):
    boxes = np.random.default_rng(0).integers(0, 100, shape)
    corners = to_xyxy(boxes)
    assert corners.shape == shape and np.array_equal(corners[..., 2:], boxes[..., :2] + boxes[..., 2:])
    assert np.array_equal(to_xywh(corners), boxes)


def test_runs_of_any_part():
    rng = np.random.default_rng(0)
    for _ in range(200):
        height, width = (int(n) for n in rng.integers(1, 12, 2))
        whole = np.zeros((height, width), dtype=bool)
        y1, x1 = int(rng.integers(0, height)), int(rng.integers(0, width))
        y2, x2 = int(rng.integers(y1, height)) + 1, int(rng.integers(x1, width)) + 1
        part = rng.random((x2 - x1, y2 - y1)) < rng.choice([0.1, 0.5, 0.9, 1.0])
        whole[y1:y2, x1:x2] = part.T
        lengths = counts(part, (x1, y1), whole.shape)
        assert lengths.sum() == whole.size
        assert compress([lengths], whole.shape) == [oracle(whole)]
