"""Head, probe and features against plain definitions and scikit-learn."""

import numpy as np
import pytest
import torch

from tests.kit.closeness import assert_same
from ultrasam.data.images import read_image, write_image
from ultrasam.downstream import ImageModel, LinearHead, load_image_model
from ultrasam.downstream import label_metrics as metrics
from ultrasam.downstream.encoder import Encoder
from ultrasam.downstream.features import features
from ultrasam.downstream.labels import read_labels
from ultrasam.downstream.linear import decode, focal
from ultrasam.downstream.probe import PENALTIES, choose_penalty, fit, probe
from ultrasam.errors import CheckpointError, ConfigError, DataError
from ultrasam.modeling.build import build_ultrasam


def data(seed=0, n=120, width=6, classes=3):
    rng = np.random.default_rng(seed)
    x = rng.normal(2, 3, (n, width)).astype(np.float32)
    labels = (x @ rng.normal(0, 1, (width, classes)) + rng.normal(0, 3, (n, classes))).argmax(axis=1)
    return x, labels, np.eye(classes, dtype=np.float32)[labels]


def test_focal_loss_is_the_published_one():
    """Per class -alpha_t (1 - p_t)^2 log p_t, summed over classes, averaged over images."""
    logits = torch.tensor([[2.0, -1.0], [0.5, 0.3]])
    targets = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    total = 0.0
    for row, true in zip(logits.tolist(), targets.tolist(), strict=True):
        for z, t in zip(row, true, strict=True):
            p = 1 / (1 + np.exp(-z))
            right, alpha = (p, 0.25) if t else (1 - p, 0.75)
            total += -alpha * (1 - right) ** 2 * np.log(right)
    assert_same(focal(logits, targets), total / 2)


def test_probe_is_scikit_learns_logistic_regression():
    linear_model = pytest.importorskip("sklearn.linear_model", reason="scikit-learn is not installed")
    x, labels, y = data()
    head = LinearHead(6, "single-label", "abc")
    fit(head, x, y, penalty=0.02, loss="cross-entropy")
    standard = (x - x.mean(0)) / x.std(0)
    peer = linear_model.LogisticRegression(C=1 / (0.02 * len(x)), tol=1e-10, max_iter=5000)
    peer.fit(standard, labels)
    with torch.no_grad():
        ours = head(torch.from_numpy(x)).softmax(dim=1).numpy()
    assert np.abs(ours - peer.predict_proba(standard)).max() < 2e-4


def test_regression_probe_is_ridge():
    linear_model = pytest.importorskip("sklearn.linear_model", reason="scikit-learn is not installed")
    rng = np.random.default_rng(0)
    x = rng.normal(1, 4, (90, 5)).astype(np.float32)
    y = (x @ rng.normal(0, 1, (5, 2)) + rng.normal(50, 2, (90, 2))).astype(np.float32)
    head = LinearHead(5, "regression", ("age", "ef"))
    fit(head, x, y, penalty=0.1)
    standard = (x - x.mean(0)) / x.std(0)
    # The squared error is a mean over images and over both values.
    peer = linear_model.Ridge(alpha=0.1 * len(x) * 2 / 2).fit(standard, (y - y.mean(0)) / y.std(0))
    expected = peer.predict(standard) * y.std(0) + y.mean(0)
    with torch.no_grad():
        assert np.abs(head.predict(torch.from_numpy(x)).numpy() - expected).max() < 2e-3


def test_focal_probe_learns_and_the_validation_set_chooses():
    x, _, y = data(n=200)
    head = LinearHead(6, "single-label", "abc")
    loss = fit(head, x[:100], y[:100], penalty=1e-3)
    with torch.no_grad():
        found = head.predict(torch.from_numpy(x[:100])).numpy().argmax(axis=1)
        assert float(focal(head(torch.from_numpy(x[:100])), torch.from_numpy(y[:100]))) == pytest.approx(
            loss, rel=1e-4
        )
    assert (found == y[:100].argmax(axis=1)).mean() > 0.6
    # Of each penalty alone, none is better on the validation set than the one that is chosen.
    wide, rare = LinearHead(6, "single-label", "abc"), (x[100:], y[100:])
    chosen = choose_penalty(wide, (x[:40], y[:40]), rare)

    def f1(head):
        with torch.no_grad():
            return metrics.single_label(rare[1], head.predict(torch.from_numpy(rare[0])).numpy())["f1"]

    best = f1(wide)
    for penalty in PENALTIES:
        fit(head, x[:40], y[:40], penalty=penalty)
        assert f1(head) < best or (f1(head) == pytest.approx(best) and penalty <= chosen)
    with pytest.raises(DataError, match="not finite"):
        fit(head, np.full((2, 6), np.nan, np.float32), y[:2])


@pytest.fixture(scope="module")
def encoder():
    torch.manual_seed(0)
    return Encoder(build_ultrasam("vit_t", img_size=32).image_encoder.eval(), "pooled")


@pytest.fixture(scope="module")
def bright(tmp_path_factory):
    """Images whose class, and number, is their brightness."""
    folder = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    lines = ["file,clip,labels,level"]
    for i in range(24):
        level = 60 + 100 * (i % 2)
        image = np.clip(rng.normal(level, 20, (24, 32, 3)), 0, 255).astype(np.uint8)
        write_image(folder / f"{i}.png", image)
        lines.append(f"{i}.png,{i // 4}_{i % 2},{('dark', 'bright')[i % 2]},{level}")
    for name, rows in (("train", lines[1:17]), ("test", lines[17:])):
        (folder / f"{name}.csv").write_text("\n".join([lines[0], *rows]))
    return folder


def test_a_probe_of_images_is_one_file(encoder, bright, tmp_path):
    train, test = (read_labels(bright / f"{n}.csv", bright) for n in ("train", "test"))
    result = probe(encoder, train, test, cache=tmp_path)
    assert result.scores["accuracy"] == 1.0 and result.truth.shape == (8, 2)
    assert len(list(tmp_path.glob("*.npz"))) == 1
    # Features come from the cache, and are those of the encoder.
    paths = [s.path for s in test.samples]
    assert np.array_equal(features(encoder, paths, cache=tmp_path), features(encoder, paths))
    result.model.save(tmp_path / "model.pth")
    again = load_image_model(tmp_path / "model.pth")
    found = again.predict([read_image(path) for path in paths])
    assert_same(found, result.predicted)
    assert again.head.names == ("bright", "dark") and again.img_size == 32
    clips = probe(encoder, train, test, cache=tmp_path, level="clip")
    assert clips.truth.shape == (4, 2) and clips.scores["accuracy"] == 1.0


def test_only_new_and_changed_images_are_computed_again(encoder, bright, tmp_path, monkeypatch):
    from ultrasam.downstream import features as module

    read = []
    monkeypatch.setattr(module, "read_image", lambda path: read.append(path.name) or read_image(path))
    copies = []
    for i in range(3):
        copies.append(tmp_path / f"{i}.png")
        copies[-1].write_bytes((bright / f"{i}.png").read_bytes())
    first = features(encoder, copies[:2], cache=tmp_path)
    assert read == ["0.png", "1.png"]
    copies[0].write_bytes((bright / "5.png").read_bytes())
    again = features(encoder, copies, cache=tmp_path)
    assert read[2:] == ["0.png", "2.png"] and np.array_equal(again[1], first[1])
    assert not np.array_equal(again[0], first[0])


def test_a_probe_of_numbers(encoder, bright):
    train, test = (
        read_labels(bright / f"{n}.csv", bright, "regression", names=["level"]) for n in ("train", "test")
    )
    scores = probe(encoder, train, test).scores
    assert scores["R2"] > 0.8 and scores["MAE"] < 20


def test_splits_with_other_classes(encoder, bright):
    train = read_labels(bright / "train.csv", bright)
    test = read_labels(bright / "test.csv", bright, names=("dark", "bright"))
    with pytest.raises(DataError, match="give both the same 'classes'"):
        probe(encoder, train, test)


def test_files_that_are_no_classifier(encoder, tmp_path):
    torch.save({"state_dict": build_ultrasam("vit_t", img_size=32).state_dict()}, tmp_path / "sam.pth")
    with pytest.raises(CheckpointError, match="is no classifier"):
        load_image_model(tmp_path / "sam.pth")
    head = LinearHead(192, "single-label", ("a", "b"))
    model = ImageModel(encoder, head)
    state = {n: v for n, v in model.state_dict().items() if not n.startswith("backbone")}
    torch.save({"state_dict": state}, tmp_path / "other.pth")
    with pytest.raises(CheckpointError, match="another network than our encoder"):
        load_image_model(tmp_path / "other.pth")
    with pytest.raises(CheckpointError, match="damaged"):
        decode(torch.tensor([1, 2, 3], dtype=torch.uint8))
    with pytest.raises(ConfigError, match="names of its classes"):
        LinearHead(4, "single-label", ())
