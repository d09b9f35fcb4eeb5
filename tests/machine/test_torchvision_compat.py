"""The bridge for torchvision: suppression against a plain loop."""

import pytest
import torch
import torchvision

from ultrasam.machine.torchvision_compat import nms


def by_hand(boxes, scores, limit):
    kept = []
    for i in sorted(range(len(boxes)), key=lambda i: -float(scores[i])):
        overlaps = torchvision.ops.box_iou(boxes[i : i + 1], boxes[kept]) if kept else torch.zeros(1, 0)
        if (overlaps <= limit).all():
            kept.append(i)
    return kept


@pytest.mark.parametrize("limit", [0.2, 0.5, 0.9])
def test_nms(limit):
    boxes = torch.rand(60, 4) * 50
    boxes[:, 2:] += boxes[:, :2] + 5
    scores = torch.rand(60)
    assert nms(boxes, scores, limit).tolist() == by_hand(boxes, scores, limit)
    assert torchvision.ops.nms(boxes, scores, limit).tolist() == by_hand(boxes, scores, limit)
    assert nms(torch.zeros(0, 4), torch.zeros(0), limit).tolist() == []
