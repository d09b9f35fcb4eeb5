"""The loop that feeds a prediction back."""

import torch

from tests.kit.models import tiny
from ultrasam.prompts.refine import Refinement, box_instead_of_point, interact
from ultrasam.types import Prompts


def setup():
    model = tiny(img_size=64)
    prompts = Prompts(
        torch.tensor([0, 0]),
        torch.tensor([[[20.0, 30.0]], [[0.0, 0.0]]]),
        torch.tensor([[1], [-1]]),
        torch.tensor([[float("nan")] * 4, [5.0, 6.0, 40.0, 50.0]]),
    )
    return model, model.encode_images(torch.randn(1, 3, 64, 64)), prompts


def test_passes_equal_the_steps_written_out():
    model, embedding, prompts = setup()
    first, second, third = interact(model, embedding, prompts, Refinement(passes=2))
    a = model.decode(embedding, prompts, multimask=False)
    b = model.decode(embedding, prompts.with_masks(a.logits), multimask=False)
    c = model.decode(embedding, prompts.with_masks(b.logits), multimask=True)
    for found, expected in ((first, a), (second, b), (third, c)):
        assert torch.equal(found.logits, expected.logits) and torch.equal(found.iou, expected.iou)
    assert third.logits.shape[1] == 3 and first.logits.shape[1] == 1
    assert third.best().logits.shape == (2, 1, 16, 16)


def test_one_pass_offers_several_masks():
    model, embedding, prompts = setup()
    (only,) = interact(model, embedding, prompts, Refinement(passes=0))
    assert only.logits.shape == (2, 3, 16, 16)


def test_gradient_through_the_feedback():
    grads = []
    for detach in (False, True):
        model, embedding, prompts = setup()
        *_, last = interact(model, embedding, prompts, Refinement(passes=1, detach=detach))
        last.logits.square().mean().backward()
        # Token 0 makes the first pass alone: without feedback the last pass says nothing about it.
        grads.append(model.mask_decoder.output_hypernetworks_mlps[0].layers[0].weight.grad.abs().max())
    assert grads[0] > 0 and grads[1] == 0


def test_box_after_point_leaves_given_boxes_alone():
    _, _, prompts = setup()
    boxes = torch.tensor([[1.0, 2.0, 3.0, 4.0], [9.0, 9.0, 9.0, 9.0]])
    changed = box_instead_of_point(prompts, boxes)
    assert changed.points is None
    assert changed.boxes.tolist() == [[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 40.0, 50.0]]
