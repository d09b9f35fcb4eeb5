"""Boxes of masks, against pycocotools and by hand."""

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from ultrasam.data.boxes import tight_box, tight_boxes, to_xywh, to_xyxy


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
        assert np.array_equal(
            to_xywh(tight_boxes([mask]))[0],
            coco_mask.toBbox(coco_mask.encode(np.asfortranarray(mask, np.uint8))),
        )


@pytest.mark.parametrize("shape", [(4,), (0, 4), (3, 4), (2, 3, 4)])
def test_corners_and_back(shape):
    boxes = np.random.default_rng(0).integers(0, 100, shape)
    corners = to_xyxy(boxes)
    assert corners.shape == shape and np.array_equal(corners[..., 2:], boxes[..., :2] + boxes[..., 2:])
    assert np.array_equal(to_xywh(corners), boxes)
