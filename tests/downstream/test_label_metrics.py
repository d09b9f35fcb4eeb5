"""Scores against scikit-learn and by hand."""

import warnings

import numpy as np
import pytest

from ultrasam.downstream import label_metrics as metrics
from ultrasam.errors import DataError

sklearn_metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")


def one_hot(labels, classes):
    return np.eye(classes, dtype=np.float32)[labels]


@pytest.mark.parametrize(("classes", "absent"), [(2, False), (3, False), (3, True), (8, False), (8, True)])
def test_single_label_is_scikit_learns(classes, absent):
    rng = np.random.default_rng(classes)
    labels = rng.integers(0, classes - absent, 200)
    scores = rng.random((200, classes)) + one_hot(labels, classes) * 0.4
    predicted = scores.argmax(axis=1)
    found = metrics.single_label(one_hot(labels, classes), scores)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        values = sklearn_metrics.precision_recall_fscore_support(
            labels, predicted, average="macro", zero_division=0
        )
    for name, value in zip(("precision", "recall", "f1"), values, strict=False):
        assert found[name] == pytest.approx(value, abs=1e-12)
    assert found["accuracy"] == pytest.approx((labels == predicted).mean())
    matrix = sklearn_metrics.confusion_matrix(labels, predicted, labels=range(classes))
    assert np.array_equal(metrics.confusion(one_hot(labels, classes), scores), matrix)
    areas = [sklearn_metrics.roc_auc_score(labels == c, scores[:, c]) for c in range(classes - absent)]
    assert found["auc"] == pytest.approx(np.mean(areas))
    for k in (1, 3, 5):
        if k < classes and classes > 2:
            value = sklearn_metrics.top_k_accuracy_score(labels, scores, k=k, labels=range(classes))
            assert found[f"top{k}"] == pytest.approx(value)


def test_ties_count_half_in_the_area():
    truth = one_hot(np.array([0, 1, 1, 0]), 2)
    scores = np.array([[0.5, 0.5], [0.5, 0.5], [0.2, 0.8], [0.9, 0.1]])
    assert metrics.auc(truth[:, 1:], scores[:, 1:]) == pytest.approx(
        sklearn_metrics.roc_auc_score(truth[:, 1], scores[:, 1])
    )


def test_multi_label_is_scikit_learns():
    rng = np.random.default_rng(0)
    truth = (rng.random((100, 5)) < 0.3).astype(np.float32)
    scores = np.clip(truth * 0.3 + rng.random((100, 5)) * 0.8, 0, 1)
    found = metrics.multi_label(truth, scores)
    values = sklearn_metrics.precision_recall_fscore_support(
        truth, scores >= 0.5, average="macro", zero_division=0
    )
    assert [found[n] for n in ("precision", "recall", "f1")] == pytest.approx(list(values[:3]))
    assert found["exact"] == pytest.approx(sklearn_metrics.accuracy_score(truth, scores >= 0.5))
    assert found["auc"] == pytest.approx(sklearn_metrics.roc_auc_score(truth, scores, average="macro"))


def test_regression_is_scikit_learns():
    rng = np.random.default_rng(0)
    truth = rng.normal(50, 10, (80, 2))
    values = truth + rng.normal(0, 3, (80, 2))
    found = metrics.regression(truth, values, ("age", "ef"))
    assert found["MAE"] == pytest.approx(sklearn_metrics.mean_absolute_error(truth, values))
    assert found["R2"] == pytest.approx(sklearn_metrics.r2_score(truth, values))
    assert found["ef/R2"] == pytest.approx(sklearn_metrics.r2_score(truth[:, 1], values[:, 1]))
    assert "R2" not in metrics.regression(truth[:1], values[:1], ("age", "ef"))


def test_a_clip_has_the_mean_of_its_frames():
    truth = np.array([[1, 0], [0, 1], [1, 0]])
    scores = np.array([[0.2, 0.8], [0.4, 0.6], [0.9, 0.1]])
    names, true, mean = metrics.by_clip(["b", "a", "b"], truth, scores)
    assert names == ["b", "a"] and true.tolist() == [[1, 0], [0, 1]]
    assert np.allclose(mean, [[0.55, 0.45], [0.4, 0.6]])
    with pytest.raises(DataError, match="clip b have different labels"):
        metrics.by_clip(["b", "a", "b"], np.array([[1, 0], [0, 1], [0, 1]]), scores)


def test_the_table_says_recall_and_precision():
    table = metrics.confusion_table(np.array([[8, 2], [0, 0]]), ("cyst", "tumour"))
    assert table.rows == [["0 cyst", "8", "2", "80.0", "100.0"], ["1 tumour", "0", "0", "-", "0.0"]]
    head, *rows = table.text().splitlines()
    assert head.split() == ["true", "/", "predicted", "0", "1", "recall", "precision"]
    assert {len(row) for row in rows} == {len(head)}
