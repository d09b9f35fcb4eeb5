"""Losses of prompted masks: focal, dice, and regression of the mask's IoU, with best-of-M selection."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from ultrasam.errors import ConfigError
from ultrasam.types import Prediction


def focal_loss(logits: Tensor, targets: Tensor, alpha: float = 0.25, gamma: float = 2.0) -> Tensor:
    """Sigmoid focal loss (Lin et al. 2017), the mean over the pixels of each mask.

    Args:
        logits: (..., h, w).
        targets: (..., h, w), 0 or 1.
        alpha: weight of the foreground.
        gamma: how strongly easy pixels are played down.

    Returns:
        (...) one value a mask.
    """
    probability = logits.sigmoid()
    wrong = probability + targets - 2 * probability * targets
    weight = alpha * targets + (1 - alpha) * (1 - targets)
    loss = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    return (weight * wrong**gamma * loss).flatten(-2).mean(dim=-1)


def dice_loss(logits: Tensor, targets: Tensor, eps: float = 1.0) -> Tensor:
    """1 - 2 sum(p t) / (sum(p^2) + eps + sum(t^2) + eps) (Milletari et al. 2016), (..., h, w) -> (...)."""
    probability, targets = logits.sigmoid().flatten(-2), targets.flatten(-2)
    overlap = (probability * targets).sum(dim=-1)
    total = probability.square().sum(dim=-1) + targets.square().sum(dim=-1)
    return 1 - 2 * overlap / (total + 2 * eps)


def hard_iou(logits: Tensor, targets: Tensor) -> Tensor:
    """IoU of thresholded logits with 0/1 targets, (..., h, w) -> (...); 1 where both are empty."""
    predicted, targets = logits.flatten(-2) > 0, targets.flatten(-2) > 0.5
    union = (predicted | targets).sum(dim=-1)
    return torch.where(union > 0, (predicted & targets).sum(dim=-1) / union.clamp(min=1), 1.0)


@dataclass(frozen=True)
class MaskLoss:
    """The weighted losses of one pass over N prompts with M candidate masks each.

    Attributes:
        focal_weight: weight of the focal loss.
        dice_weight: weight of the dice loss.
        iou_weight: weight of the IoU regression.
        iou_loss: ``mse`` (released code, Segment Anything) or ``l1`` (UltraSam's paper).
        select: the candidate that is trained: the one of highest IoU with the target (released code) or of
            lowest mask loss (Segment Anything).
        supervise_all_iou: regress the IoU of every candidate, not just of the selected one.
    """

    focal_weight: float = 20.0
    dice_weight: float = 1.0
    iou_weight: float = 1.0
    iou_loss: Literal["mse", "l1"] = "mse"
    select: Literal["iou", "loss"] = "iou"
    supervise_all_iou: bool = False

    def __post_init__(self) -> None:
        for value, allowed in ((self.iou_loss, ("mse", "l1")), (self.select, ("iou", "loss"))):
            if value not in allowed:
                raise ConfigError(f"a mask loss knows {' and '.join(allowed)}, not '{value}'")

    def __call__(
        self, prediction: Prediction, targets: Tensor, count: Tensor | float | None = None
    ) -> dict[str, Tensor]:
        """The losses ``loss_focal``, ``loss_dice``, ``loss_iou``.

        Args:
            prediction: of N prompts.
            targets: (N, 4h, 4w), 0 or 1.
            count: what sums over prompts are divided by; N where None. Several processes give the mean of
                their N, so that together they take the step of one process with all prompts.
        """
        # Half precision ends here: the sums run over tens of thousands of pixels.
        logits = prediction.logits.float()
        spread = targets.to(logits.dtype)[:, None].expand_as(logits)
        focal, dice = focal_loss(logits, spread), dice_loss(logits, spread)
        iou = hard_iou(logits.detach(), spread)
        quality = iou if self.select == "iou" else -(self.focal_weight * focal + self.dice_weight * dice)
        best = quality.detach().argmax(dim=1, keepdim=True)

        error = prediction.iou.float() - iou
        error = error.square() if self.iou_loss == "mse" else error.abs()
        error = error.mean(dim=1, keepdim=True) if self.supervise_all_iou else error.gather(1, best)
        divisor = max(len(targets), 1) if count is None else count
        return {
            "loss_focal": self.focal_weight * focal.gather(1, best).sum() / divisor,
            "loss_dice": self.dice_weight * dice.gather(1, best).sum() / divisor,
            "loss_iou": self.iou_weight * error.sum() / divisor,
        }


def session_losses(
    loss: MaskLoss,
    predictions: Iterable[Prediction],
    targets: Tensor,
    count: Tensor | float | None = None,
) -> dict[str, Tensor]:
    """The losses of every pass of a session with a model: ``pass0.loss_focal`` and so on.

    Where a pass gives all four masks of a prompt, both answers are trained, ``pass0.single.loss_focal`` and
    ``pass0.several.loss_focal``: the one mask, and the best of three.

    Args:
        loss: of one pass.
        predictions: of N prompts, pass after pass, as `ultrasam.prompts.refine` gives them.
        targets: (N, 4h, 4w), 0 or 1.
        count: what sums over prompts are divided by, see `MaskLoss`.
    """
    losses = {}
    for number, prediction in enumerate(predictions):
        answers = {"": prediction}
        if prediction.iou.shape[1] == 4:
            answers = {"single.": prediction.single(), "several.": prediction.several()}
        for kind, answer in answers.items():
            terms = loss(answer, targets, count)
            losses.update({f"pass{number}.{kind}{name}": value for name, value in terms.items()})
    return losses
