"""Whole-image tasks under mmengine: learn, score, reload, and agree with the plain model."""

import json

import numpy as np
import pytest
import torch
from mmdet.registry import DATASETS, MODELS
from mmdet.structures import DetDataSample
from mmengine.config import ConfigDict

from tests.kit.closeness import assert_same
from ultrasam.data.images import read_image, write_image
from ultrasam.downstream import load_image_model
from ultrasam.downstream.label_metrics import by_clip, score
from ultrasam.errors import CheckpointError, DataError
from ultrasam.mm.datasets.label_dataset import LabelDataset
from ultrasam.mm.engine.configuration import load_config
from ultrasam.mm.evaluation.label_metric import LabelMetric
from ultrasam.mm.models.preprocessor import PromptDataPreprocessor

SIZE = 32


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """A class by brightness; two frames a clip."""
    folder = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    lines = ["file,clip,labels,level"]
    for i in range(16):
        level = 60 + 100 * (i % 2)
        image = np.clip(rng.normal(level, 10, (20, 32, 3)), 0, 255).astype(np.uint8)
        write_image(folder / f"{i}.png", image)
        lines.append(f"{i}.png,{i // 4}_{i % 2},{('dark', 'bright')[i % 2]},{level}")
    (folder / "all.csv").write_text("\n".join(lines))
    return folder


def dataset(images, task="single-label", classes=("dark", "bright"), file="all.csv", **kwargs):
    return LabelDataset(
        img_size=SIZE,
        task=task,
        classes=classes,
        ann_file=str(images / file),
        data_prefix={"img": f"{images}/"},
        **kwargs,
    )


def build(task="single-label", classes=("dark", "bright"), black_padding=True):
    torch.manual_seed(0)
    model = MODELS.build(
        ConfigDict(
            type="ImageTask",
            task=task,
            classes=classes,
            backbone={"type": "UltraSamBackbone", "variant": "vit_t", "img_size": SIZE},
            data_preprocessor={
                "type": "PromptDataPreprocessor",
                "img_size": SIZE,
                "black_padding": black_padding,
            },
        )
    )
    return model


def batch(used, numbers):
    samples = [used[i] for i in numbers]
    return {k: [s[k] for s in samples] for k in ("inputs", "data_samples")}


def test_padding_is_black_or_of_the_mean_color():
    image = torch.full((3, 4, 8), 200, dtype=torch.uint8)
    for black, value in ((True, (0 - 123.675) / 58.395), (False, 0.0)):
        sample = DetDataSample(metainfo={"img_shape": (4, 8)})
        batch = PromptDataPreprocessor(8, black)({"inputs": [image], "data_samples": [sample]})
        ready = batch["inputs"]
        assert batch["data_samples"][0].pad_shape == (8, 8)
        assert ready[0, 0, 7, 7].item() == pytest.approx(value, rel=1e-5)
        assert ready[0, 0, 0, 0].item() == pytest.approx((200 - 123.675) / 58.395, rel=1e-5)


@pytest.mark.parametrize("task", ["single-label", "multi-label", "regression"])
def test_each_task_learns_and_reloads(images, tmp_path, task):
    classes = ("level",) if task == "regression" else ("dark", "bright")
    used = dataset(images, task, classes, test_mode=True)
    model = build(task, classes)
    model.head.fit_targets(torch.from_numpy(used.targets))
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-4)
    losses = []
    for _ in range(25):
        ready = model.data_preprocessor(batch(used, range(16)), True)
        loss = model(**ready, mode="loss")["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.6 * losses[0]
    metric = LabelMetric(outfile=str(tmp_path / "scores.json"))
    metric.dataset_meta = used.metainfo
    model.eval()
    with torch.no_grad():
        for sample in model.test_step(batch(used, range(16))):
            metric.process({}, [sample.to_dict()])
    found = metric.evaluate(16)
    assert found["label/R2" if task == "regression" else "label/f1"] > 0.7
    kept = json.loads((tmp_path / "scores.json").read_text())
    truth, scores = (np.array([p[k] for p in kept["predictions"]]) for k in ("truth", "scores"))
    assert score(task, truth, scores, classes)["MAE" if task == "regression" else "f1"] == pytest.approx(
        found["label/MAE" if task == "regression" else "label/f1"], abs=1e-5
    )
    # The same file, without mmengine.
    torch.save({"meta": {}, "state_dict": model.state_dict()}, tmp_path / "model.pth")
    plain = load_image_model(tmp_path / "model.pth")
    predicted = plain.predict([read_image(images / f"{i}.png") for i in range(16)])
    assert_same(predicted, scores)
    again = build(task, classes)
    again.load_weights(str(tmp_path / "model.pth"))
    assert torch.equal(again.head.linear.weight, model.head.linear.weight)


def test_a_checkpoint_of_another_task_or_other_classes(images, tmp_path):
    model = build()
    torch.save({"state_dict": model.state_dict()}, tmp_path / "model.pth")
    with pytest.raises(CheckpointError, match="has the names"):
        build(classes=("bright", "dark")).load_weights(str(tmp_path / "model.pth"))
    with pytest.raises(CheckpointError, match="has the task single-label"):
        build("multi-label").load_weights(str(tmp_path / "model.pth"))


def test_clips_are_scored_by_the_mean_of_their_frames(images):
    used = dataset(images, test_mode=True)
    metric = LabelMetric(level="clip")
    metric.dataset_meta = used.metainfo
    rng = np.random.default_rng(0)
    rows = []
    for i in range(16):
        sample = used[i]["data_samples"]
        sample.scores = torch.from_numpy(rng.random(2).astype(np.float32))
        rows.append((sample.clip, sample.target.numpy(), sample.scores.numpy()))
        metric.process({}, [sample.to_dict()])
    found = metric.evaluate(16)
    clips = sorted({row[0] for row in rows})
    right = [
        np.mean([r[2] for r in rows if r[0] == clip], axis=0).argmax()
        == next(r[1] for r in rows if r[0] == clip).argmax()
        for clip in clips
    ]
    assert len(clips) == 8 and found["label/accuracy"] == pytest.approx(np.mean(right))


def test_flips_follow_the_ticket(images):
    first, second = dataset(images, seed=1), dataset(images, seed=1)
    tickets = range(0, 64)
    assert all(torch.equal(first[t]["inputs"], second[t]["inputs"]) for t in tickets)
    flipped = [not torch.equal(first[t]["inputs"], first[t % 16]["inputs"]) for t in tickets]
    assert 5 < sum(flipped) < 59


def test_a_split_without_a_class(images, tmp_path):
    lines = (images / "all.csv").read_text().splitlines()
    (images / "dark.csv").write_text("\n".join([lines[0], *lines[1::2]]))
    with pytest.raises(DataError, match="no image of bright"):
        dataset(images, file="dark.csv")
    assert len(dataset(images, file="dark.csv", test_mode=True)) == 8
    (images / "one.csv").write_text("\n".join(lines[:2]))
    with pytest.raises(DataError, match="one image"):
        dataset(images, file="one.csv")


def test_the_ahu_configuration_reads_what_its_converter_writes(tmp_path):
    from ultrasam.converters.ahu import LABELS, convert_ahu

    for number, label in enumerate(LABELS * 4):
        second = "_Cyst" if label == "Tumor" else ""
        for frame in range(2):
            image = np.full((16, 16, 3), 4 * number, np.uint8)
            write_image(tmp_path / f"raw/{number}_{label}{second}/{frame}.jpg", image)
    convert_ahu(tmp_path / "raw", tmp_path / "out", val=0.2)
    config = load_config(
        "downstream/classification/classifier_vit-b_ahu", cfg_options={"data_root": f"{tmp_path}/out/ahu/"}
    )
    train, val = (DATASETS.build(config[f"{side}_dataloader"].dataset) for side in ("train", "val"))
    assert train.metainfo["classes"] == LABELS and len(train) + len(val) == 4 * 13 * 2
    targets = np.concatenate([train.targets, val.targets])
    # Every tumour is a cyst as well.
    assert targets.sum(axis=0).tolist() == [8, 16, *[8] * 11]
    rows = [val[i]["data_samples"] for i in range(len(val))]
    names, truth, _ = by_clip([r.clip for r in rows], val.targets, val.targets)
    assert len(names) == len(val) // 2 == len(truth)
