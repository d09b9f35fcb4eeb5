"""A simulated user's corrections."""

import numpy as np
import pytest
import torch

from tests.kit.models import tiny
from ultrasam.prompts.clicks import add_clicks, error_click
from ultrasam.prompts.refine import Correction, correct
from ultrasam.types import PADDING, Prompts


def square(x1, y1, x2, y2, size=32):
    mask = np.zeros((size, size), dtype=bool)
    mask[y1:y2, x1:x2] = True
    return mask


def test_a_missed_part_is_clicked_in_its_middle():
    truth, predicted = square(4, 4, 25, 13), square(4, 4, 14, 13)
    xy, label = error_click(predicted, truth)
    # What is missed is 14..24 x 4..12, 11 wide and 9 high: the middle row, as far from all sides as can be.
    assert label == 1 and xy[1] == 8.5 and 18 <= xy[0] <= 21


def test_an_excess_is_clicked_as_negative_and_the_larger_error_goes_first():
    truth = square(10, 10, 20, 20)
    predicted = square(10, 10, 20, 20) | square(20, 8, 31, 19)
    predicted[10:13, 10:13] = False
    xy, label = error_click(predicted, truth)
    assert label == 0 and truth[int(xy[1]), int(xy[0])] == 0 and predicted[int(xy[1]), int(xy[0])]


def test_the_image_border_is_an_edge():
    xy, label = error_click(np.zeros((9, 9), dtype=bool), np.ones((9, 9), dtype=bool))
    assert label == 1 and xy.tolist() == [4.5, 4.5]


def test_nothing_wrong_no_click():
    assert error_click(square(1, 1, 5, 5), square(1, 1, 5, 5)) is None


def test_random_clicks_stay_in_the_deep_half_of_the_error():
    truth, rng = square(2, 2, 23, 23), np.random.default_rng(0)
    clicks = [error_click(np.zeros_like(truth), truth, rng) for _ in range(50)]
    places = np.array([xy for xy, _ in clicks])
    # 21 pixels a side: 11 deep in the middle, so at least 5.5 deep.
    assert all(label == 1 for _, label in clicks) and len(np.unique(places, axis=0)) > 20
    assert places.min() >= 2 + 5 and places.max() <= 23 - 5


def test_clicks_join_the_prompts_in_pixels_of_the_input():
    prompts = Prompts(
        torch.tensor([0, 0]),
        torch.tensor([[[20.0, 30.0]], [[0.0, 0.0]]]),
        torch.tensor([[1], [PADDING]]),
        torch.tensor([[float("nan")] * 4, [5.0, 6.0, 40.0, 50.0]]),
    )
    targets = torch.from_numpy(np.stack([square(2, 2, 9, 9, 16), square(2, 2, 9, 9, 16)])).float()
    logits = torch.full((2, 1, 16, 16), -1.0)
    more = add_clicks(prompts, logits, targets, np.array([True, False]), np.random.default_rng(0))
    assert more.points.shape == (2, 2, 2) and more.labels.tolist() == [[1, 1], [PADDING, PADDING]]
    assert torch.equal(more.points[:, 0], prompts.points[:, 0]) and more.boxes is prompts.boxes
    x, y = more.points[0, 1].tolist()
    assert 8 < x < 36 and 8 < y < 36


@pytest.mark.parametrize("autocast", [False, True])
def test_corrections_train_every_mask_and_the_mask_prompt(autocast):
    torch.manual_seed(0)
    model = tiny(img_size=64)
    prompts = Prompts(torch.tensor([0]), torch.tensor([[[20.0, 30.0]]]), torch.tensor([[1]]))
    targets = torch.from_numpy(square(3, 3, 9, 9, 16)[None]).float()
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
        embedding = model.encode_images(torch.randn(1, 3, 64, 64))
        # The most rounds, whatever is drawn: those in between must not take the last one's gradients.
        torch.manual_seed(3)
        first, last = correct(model, embedding, prompts, targets, Correction(rounds=6, clicks=1.0))
    assert last.single().logits.shape == (1, 1, 16, 16) and last.several().iou.shape == (1, 3)
    last.logits.float().square().mean().backward()
    grads = {n: p.grad for n, p in model.named_parameters()}
    assert grads["prompt_encoder.mask_downscaling.0.weight"].abs().max() > 0
    for number in range(4):
        name = f"mask_decoder.output_hypernetworks_mlps.{number}.layers.0.weight"
        assert grads[name].abs().max() > 0
    assert not first.logits.equal(last.logits)
