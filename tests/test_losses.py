"""Losses against hand-computed values and torchvision's focal loss."""

import math

import pytest
import torch
from torchvision.ops import sigmoid_focal_loss

from tests.kit.closeness import assert_same
from ultrasam.errors import ConfigError
from ultrasam.losses import MaskLoss, dice_loss, focal_loss, hard_iou, session_losses
from ultrasam.types import Prediction


def test_focal_equals_torchvision():
    logits, targets = torch.randn(3, 2, 8, 8), (torch.rand(3, 2, 8, 8) > 0.6).float()
    expected = sigmoid_focal_loss(logits, targets, alpha=0.25, gamma=2.0).mean((-2, -1))
    assert_same(focal_loss(logits, targets), expected)


@pytest.mark.parametrize(
    ("logits", "targets", "expected"),
    [
        # p = 1/2 everywhere, 2 of 4 pixels true: 1 - 2 * 1 / (4/4 + 2 + 2)
        ([[0.0, 0.0], [0.0, 0.0]], [[1.0, 1.0], [0.0, 0.0]], 1 - 2 / 5),
        # perfect and certain: 1 - 2 * 2 / (2 + 2 + 2)
        ([[50.0, 50.0], [-50.0, -50.0]], [[1.0, 1.0], [0.0, 0.0]], 1 - 4 / 6),
        # empty and certain of it: the eps alone, 1 - 0
        ([[-50.0, -50.0], [-50.0, -50.0]], [[0.0, 0.0], [0.0, 0.0]], 1.0),
    ],
)
def test_dice_by_hand(logits, targets, expected):
    assert float(dice_loss(torch.tensor(logits), torch.tensor(targets))) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("logits", "targets", "expected"),
    [
        ([1, 1, -1, -1], [1, 0, 0, 0], 0.5),
        ([-1] * 4, [0] * 4, 1.0),
        ([-1] * 4, [1, 0, 0, 0], 0.0),
        ([1] * 4, [1] * 4, 1.0),
    ],
)
def test_hard_iou_by_hand(logits, targets, expected):
    shape = lambda values: torch.tensor(values, dtype=torch.float).reshape(1, 2, 2)  # noqa: E731
    assert float(hard_iou(shape(logits), shape(targets))) == expected


def candidates():
    """Two candidates: a timid one that is right everywhere, a bold one that misses one of four pixels."""
    target = torch.tensor([[[1.0, 1.0], [0.0, 0.0]]])
    timid = torch.tensor([[0.1, 0.1], [-0.1, -0.1]])
    bold = torch.tensor([[9.0, -0.1], [-9.0, -9.0]])
    return torch.stack([timid, bold])[None], target


def test_selection_by_iou_and_by_loss():
    logits, target = candidates()
    prediction = Prediction(logits, torch.tensor([[0.2, 0.9]]))
    by_iou = MaskLoss(focal_weight=1.0, select="iou")(prediction, target)
    by_loss = MaskLoss(focal_weight=1.0, select="loss")(prediction, target)
    assert float(by_iou["loss_dice"]) == pytest.approx(float(dice_loss(logits[0, 0], target[0])))
    assert float(by_loss["loss_dice"]) == pytest.approx(float(dice_loss(logits[0, 1], target[0])))
    # IoU of the timid candidate is 1, of the bold one 1/2.
    assert float(by_iou["loss_iou"]) == pytest.approx((0.2 - 1) ** 2)
    assert float(by_loss["loss_iou"]) == pytest.approx((0.9 - 0.5) ** 2)
    every = MaskLoss(supervise_all_iou=True, iou_loss="l1")(prediction, target)["loss_iou"]
    assert float(every) == pytest.approx((0.8 + 0.4) / 2)


def test_only_the_selected_candidate_is_trained():
    logits, target = candidates()
    logits.requires_grad_()
    MaskLoss()(Prediction(logits, torch.zeros(1, 2)), target)["loss_focal"].backward()
    assert logits.grad[0, 0].abs().sum() > 0 and logits.grad[0, 1].abs().sum() == 0


def test_parts_of_a_batch_add_up_with_a_common_count():
    torch.manual_seed(0)
    logits, iou, targets = torch.randn(5, 3, 8, 8), torch.rand(5, 3), (torch.rand(5, 8, 8) > 0.5).float()
    whole = MaskLoss()(Prediction(logits, iou), targets)
    parts = [
        MaskLoss()(Prediction(logits[rows], iou[rows]), targets[rows], count=5.0)
        for rows in (slice(0, 1), slice(1, 5))
    ]
    for name, value in whole.items():
        assert_same(value, sum(part[name] for part in parts))


def test_no_prompt_gives_zero_with_a_gradient():
    logits = torch.zeros(0, 3, 8, 8, requires_grad=True)
    terms = MaskLoss()(Prediction(logits, torch.zeros(0, 3)), torch.zeros(0, 8, 8))
    total = sum(terms.values())
    total.backward()
    assert float(total.detach()) == 0 and not math.isnan(float(total.detach()))


def test_a_session_trains_both_answers_of_each_pass():
    torch.manual_seed(0)
    logits, iou, targets = torch.randn(2, 4, 8, 8), torch.rand(2, 4), (torch.rand(2, 8, 8) > 0.5).float()
    passes = [Prediction(logits, iou), Prediction(logits + 1, iou)]
    found = session_losses(MaskLoss(), iter(passes), targets, 3.0)
    expected = {}
    for number, shift in enumerate((0, 1)):
        for kind, rows in (("single", slice(0, 1)), ("several", slice(1, 4))):
            part = MaskLoss()(Prediction(logits[:, rows] + shift, iou[:, rows]), targets, 3.0)
            expected |= {f"pass{number}.{kind}.{name}": value for name, value in part.items()}
    assert list(found) == list(expected) and all(torch.equal(found[n], v) for n, v in expected.items())
    three = Prediction(logits[:, 1:], iou[:, 1:])
    plain = session_losses(MaskLoss(), [three], targets)
    assert plain == {f"pass0.{name}": value for name, value in MaskLoss()(three, targets).items()}


def test_unknown_options():
    with pytest.raises(ConfigError, match="huber"):
        MaskLoss(iou_loss="huber")
