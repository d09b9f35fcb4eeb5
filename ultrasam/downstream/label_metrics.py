"""Scores of whole-image predictions: classes, several labels at once, numbers; by image or by clip."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ultrasam.downstream.labels import Task
from ultrasam.errors import DataError
from ultrasam.report.table import Table

Array = NDArray[np.floating]
#: A class counts as found in multi-label prediction from this score on.
THRESHOLD = 0.5


def score(task: Task, targets: Array, scores: Array, names: Sequence[str]) -> dict[str, float]:
    """All scores of a task; see `single_label`, `multi_label` and `regression`.

    Args:
        task: what the labels are.
        targets: (N, C) what is true.
        scores: (N, C) predicted scores in 0..1, or values.
        names: of the C classes or values.
    """
    if task == "regression":
        return regression(targets, scores, names)
    return single_label(targets, scores) if task == "single-label" else multi_label(targets, scores)


def confusion(targets: Array, scores: Array) -> NDArray[np.int64]:
    """(C, C) counts of single labels: rows are true classes, columns predicted ones."""
    matrix = np.zeros((targets.shape[1],) * 2, np.int64)
    np.add.at(matrix, (targets.argmax(axis=1), scores.argmax(axis=1)), 1)
    return matrix


def single_label(targets: Array, scores: Array) -> dict[str, float]:
    """``accuracy``, macro ``precision``, ``recall``, ``f1`` of the class of highest score, ``auc``, top-k.

    Macro means average over the classes that occur in the targets or among the predictions; a class that is
    never predicted has precision 0 (scikit-learn's conventions). F1 is the mean of the classes' F1.
    """
    matrix = confusion(targets, scores)
    hits = np.diag(matrix).astype(float)
    occurs = (matrix.sum(axis=0) + matrix.sum(axis=1)) > 0
    return {
        "accuracy": float(hits.sum() / max(matrix.sum(), 1)),
        **_macro(hits, matrix.sum(axis=0), matrix.sum(axis=1), occurs),
        **_ranked(targets, scores),
    }


def multi_label(targets: Array, scores: Array) -> dict[str, float]:
    """Macro ``precision``, ``recall``, ``f1`` at `THRESHOLD`, ``exact`` matches, ``auc``, top-k."""
    predictions, true = scores >= THRESHOLD, targets > 0.5
    hits = (predictions & true).sum(axis=0).astype(float)
    every = np.ones(targets.shape[1], bool)
    return {
        "exact": float((predictions == true).all(axis=1).mean()),
        **_macro(hits, predictions.sum(axis=0), true.sum(axis=0), every),
        **_ranked(targets, scores),
    }


def regression(targets: Array, predictions: Array, names: Sequence[str]) -> dict[str, float]:
    """``MAE`` and ``R2`` (means over the values; also by name where there are several).

    R2 compares with predicting the mean of the targets; it is left out where they do not vary.
    """
    error, spread = targets - predictions, targets - targets.mean(axis=0)
    mae, total = np.abs(error).mean(axis=0), np.square(spread).sum(axis=0)
    values = {"MAE": float(mae.mean())}
    if (total > 0).all():
        r2 = 1 - np.square(error).sum(axis=0) / total
        values["R2"] = float(r2.mean())
        if len(names) > 1:
            values.update({f"{name}/R2": float(value) for name, value in zip(names, r2, strict=True)})
    if len(names) > 1:
        values.update({f"{name}/MAE": float(value) for name, value in zip(names, mae, strict=True)})
    return values


def top_k(targets: Array, scores: Array, k: int) -> float:
    """Share of samples that have one of their labels among the ``k`` highest scores."""
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return float((np.take_along_axis(targets, order, axis=1) > 0.5).any(axis=1).mean())


def auc(targets: Array, scores: Array) -> float:
    """Area under the receiver operating characteristic, one class against the rest, mean over classes.

    By ranks (Mann and Whitney 1947), ties count half. Classes that all or no samples have are left out; NaN
    where that leaves none.
    """
    areas = []
    for true, values in zip(targets.T > 0.5, scores.T, strict=True):
        positive = int(true.sum())
        negative = len(true) - positive
        if positive and negative:
            _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
            ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
            areas.append((ranks[true].sum() - positive * (positive + 1) / 2) / (positive * negative))
    return float(np.mean(areas)) if areas else float("nan")


def by_clip(clips: Sequence[str], targets: Array, scores: Array) -> tuple[list[str], Array, Array]:
    """Frames to clips: the mean of the frames' scores, in the order in which clips first occur.

    Raises:
        DataError: the frames of a clip have different labels.
    """
    order = list(dict.fromkeys(clips))
    index = np.array([order.index(clip) for clip in clips])
    counts = np.bincount(index)[:, None]
    mean = np.zeros((len(order), scores.shape[1]))
    np.add.at(mean, index, scores)
    first = np.array([int(np.argmax(index == i)) for i in range(len(order))])
    wrong = np.flatnonzero((targets != targets[first][index]).any(axis=1))
    if len(wrong):
        raise DataError(f"the frames of clip {clips[wrong[0]]} have different labels; a clip has one set")
    return order, targets[first], mean / counts


def confusion_table(matrix: NDArray[np.int64], names: Sequence[str]) -> Table:
    """A confusion matrix to print, with recall and precision of each class in percent."""
    rows = []
    for i, name in enumerate(names):
        shares = [
            f"{100 * matrix[i, i] / total:.1f}" if total else "-"
            for total in (matrix[i].sum(), matrix[:, i].sum())
        ]
        rows.append([f"{i} {name}", *map(str, matrix[i]), *shares])
    return Table("", ["true / predicted", *map(str, range(len(names))), "recall", "precision"], rows)


def _macro(hits: Array, predicted: NDArray, true: NDArray, classes: NDArray[np.bool_]) -> dict[str, float]:
    precision, recall = hits / np.maximum(predicted, 1), hits / np.maximum(true, 1)
    f1 = 2 * hits / np.maximum(predicted + true, 1)
    values = {"precision": precision, "recall": recall, "f1": f1}
    return {name: float(value[classes].mean()) for name, value in values.items()}


def _ranked(targets: Array, scores: Array) -> dict[str, float]:
    shares = {f"top{k}": top_k(targets, scores, k) for k in (1, 3, 5) if k < targets.shape[1]}
    return {"auc": auc(targets, scores), **shares}
