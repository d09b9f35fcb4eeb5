"""Linear probe: a linear layer on frozen features, solved to the optimum in seconds."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ultrasam.downstream.encoder import Encoder
from ultrasam.downstream.features import features
from ultrasam.downstream.label_metrics import by_clip, score
from ultrasam.downstream.labels import LabelTable, Task
from ultrasam.downstream.linear import LinearHead, focal
from ultrasam.downstream.model import ImageModel
from ultrasam.errors import DataError

#: ``focal`` is that of the fine-tuned model, ``cross-entropy`` makes it a logistic regression.
Loss = Literal["focal", "cross-entropy"]
#: Penalties among which a validation set decides.
PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)


def fit(
    head: LinearHead,
    inputs: np.ndarray,
    targets: np.ndarray,
    *,
    penalty: float = 1e-2,
    loss: Loss = "focal",
    iterations: int = 200,
) -> float:
    """Set a head's weights to the minimum of its loss on frozen features; deterministic.

    Minimizes mean loss + penalty / 2 * |W|^2 on standardized features with L-BFGS, then takes the
    standardization into the weights, so that the head works on features as they are.

    Args:
        head: its weights are set.
        inputs: (N, W) features.
        targets: (N, C) as in `LabelTable.targets`.
        penalty: of the squared weights; the bias goes free.
        loss: of classes; numbers always have the squared error.
        iterations: at most so many.

    Returns:
        The loss at the end, without the penalty.

    Raises:
        DataError: features that are not finite.
    """
    if not np.isfinite(inputs).all():
        raise DataError("the features are not finite: the encoder's weights are damaged")
    x, y = torch.from_numpy(inputs).double(), torch.from_numpy(targets).double()
    center, scale = x.mean(dim=0), x.std(dim=0, correction=0).clamp(min=1e-6)
    x = (x - center) / scale
    head.fit_targets(y.float())
    if head.task == "regression":
        y = (y - head.centre.double()) / head.scale.double()
    weight = torch.zeros(y.shape[1], x.shape[1], dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(y.shape[1], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [weight, bias],
        max_iter=iterations,
        tolerance_grad=1e-7,
        tolerance_change=1e-12,
        line_search_fn="strong_wolfe",
    )

    def objective() -> Tensor:
        optimizer.zero_grad()
        total = _loss(head.task, F.linear(x, weight, bias), y, loss) + penalty / 2 * weight.square().sum()
        total.backward()
        return total

    optimizer.step(objective)
    with torch.no_grad():
        final = _loss(head.task, F.linear(x, weight, bias), y, loss)
        head.linear.weight.copy_(weight / scale)
        head.linear.bias.copy_(bias - (weight / scale) @ center)
    return float(final)


def choose_penalty(
    head: LinearHead,
    train: tuple[np.ndarray, np.ndarray],
    val: tuple[np.ndarray, np.ndarray],
    *,
    loss: Loss = "focal",
    penalties: Sequence[float] = PENALTIES,
) -> float:
    """Fit with each penalty and leave the head at the best on the validation set.

    Best is the highest macro F1, of a regression the lowest mean error; of equals the strongest penalty. The
    loss would not do: where a class is rare it is lowest for a head that never names it.
    """

    def held_out(penalty: float) -> tuple[float, float]:
        fit(head, *train, penalty=penalty, loss=loss)
        with torch.no_grad():
            found = score(head.task, val[1], head.predict(torch.from_numpy(val[0])).numpy(), head.names)
        return -found["MAE"] if head.task == "regression" else found["f1"], penalty

    best = max(penalties, key=held_out)
    fit(head, *train, penalty=best, loss=loss)
    return best


def _loss(task: Task, outputs: Tensor, targets: Tensor, loss: Loss) -> Tensor:
    if task == "regression":
        return F.mse_loss(outputs, targets)
    if loss == "focal":
        return focal(outputs, targets)
    if task == "single-label":
        return F.cross_entropy(outputs, targets)
    return F.binary_cross_entropy_with_logits(outputs, targets)


@dataclass
class ProbeResult:
    """A probe and how it does.

    Attributes:
        model: encoder and fitted head, ready to use and to save.
        penalty: that was used.
        scores: of the test set; see `ultrasam.downstream.label_metrics`.
        truth: (N, C) targets of the test set, by image or clip.
        predicted: (N, C) scores or values.
        seconds: for fitting, without features.
    """

    model: ImageModel
    penalty: float
    scores: dict[str, float]
    truth: np.ndarray
    predicted: np.ndarray
    seconds: float


def probe(
    encoder: Encoder,
    train: LabelTable,
    test: LabelTable,
    val: LabelTable | None = None,
    *,
    cache: Path | None = None,
    loss: Loss = "focal",
    penalty: float = 1e-2,
    level: str = "image",
) -> ProbeResult:
    """Features once, a linear layer to the optimum, scores on the test set.

    Args:
        encoder: pooled, frozen.
        train: what is learned from; each class needs an image.
        test: what is scored; of the same task and classes.
        val: chooses the penalty among `PENALTIES`; without it ``penalty`` is used.
        cache: folder that keeps features.
        loss: see `fit`.
        penalty: see `fit`.
        level: score each ``image``, or each ``clip`` by the mean over its frames.

    Raises:
        DataError: the splits differ in their classes, or one is not usable.
    """
    train.check_trainable()
    for other in (test, val):
        if other is not None and (other.names, other.task) != (train.names, train.task):
            raise DataError(
                f"{other.source} has the classes {', '.join(other.names)}, {train.source} has "
                f"{', '.join(train.names)}: give both the same 'classes'"
            )

    def load(table: LabelTable) -> tuple[np.ndarray, np.ndarray]:
        return features(encoder, [s.path for s in table.samples], cache=cache), table.targets

    head = LinearHead(encoder.channels[0], train.task, train.names, {"img_size": encoder.encoder.img_size})
    learned, held_out = load(train), load(val) if val else None
    start = time.perf_counter()
    if held_out:
        penalty = choose_penalty(head, learned, held_out, loss=loss)
    else:
        fit(head, *learned, penalty=penalty, loss=loss)
    seconds = time.perf_counter() - start
    x, truth = load(test)
    with torch.no_grad():
        predicted = head.predict(torch.from_numpy(x)).numpy()
    if level == "clip":
        _, truth, predicted = by_clip([s.clip for s in test.samples], truth, predicted)
    scores = score(train.task, truth, predicted, train.names)
    return ProbeResult(ImageModel(encoder, head).eval(), penalty, scores, truth, predicted, seconds)
