"""Every leaf is whole: what it names builds from its file alone, as MMDetection's tools build it."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("mmdet", reason="the extra 'mm' (OpenMMLab) is not installed")
from mmdet.registry import DATASETS, HOOKS, METRICS, MODELS, PARAM_SCHEDULERS, VISUALIZERS
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DATA_SAMPLERS, init_default_scope

from tests.kit.leaves import LEAVES, LOADERS, ROOT, SIDES
from ultrasam.data.coco import encode
from ultrasam.data.formats import exporting
from ultrasam.data.images import write_image

SIZE = 32


def test_there_are_57():
    assert len(LEAVES) == 57


def fabricate(dataset):
    """The files that a data set's configuration names: an image with one object for each of its classes."""
    root = Path(dataset.data_root)
    names = list(dataset.get("classes", ["object"]))
    count = max(len(names), 2)
    images = [
        {"id": i, "file_name": f"{i}.png", "height": SIZE, "width": SIZE, "object_share": 10.0 + i}
        for i in range(1, count + 1)
    ]
    mask = np.zeros((SIZE, SIZE), bool)
    mask[8:20, 4:28] = True
    for image in images:
        file = root / dataset.data_prefix.img / image["file_name"]
        if not file.is_file():
            write_image(file, np.full((SIZE, SIZE, 3), 90, np.uint8))
    path = root / dataset.ann_file
    shards = path if dataset.type == "ShardedPromptDataset" else None
    path = path.with_suffix(".json") if shards else path
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".csv":
        value = "labels" if dataset.task != "regression" else names[0]
        rows = [
            f"{i['file_name']},c{i['id']},"
            f"{names[i['id'] % len(names)] if value == 'labels' else i['object_share']}"
            for i in images
        ]
        path.write_text("\n".join([f"file,clip,{value}", *rows]))
        return
    annotations = [
        {
            "id": image["id"],
            "image_id": image["id"],
            "category_id": image["id"] % len(names) + 1,
            "bbox": [4, 8, 24, 12],
            "area": 288,
            "iscrowd": 0,
            "segmentation": encode(mask),
        }
        for image in images
    ]
    categories = [{"id": i + 1, "name": name} for i, name in enumerate(names)]
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    if shards:
        exporting.export(path, "webdataset", shards, root / dataset.data_prefix.img)


def check(model, config, name):
    """The model is what its name says."""
    if config.model.type == "UltraSam":
        assert model.sam.img_size == config.img_size
        return
    if "vit" in name:
        assert model.backbone.encoder.img_size == config.img_size
    if config.model.type == "InstanceSegmenter":
        assert model.num_classes == len(config.classes) and model.num_stuff_classes == 0
        strides = model.panoptic_head.pixel_decoder.strides
        assert list(strides) == ([16] * 4 if "paper/mask2former_vit" in name else [4, 8, 16, 32])
    else:
        assert list(model.head.names) == list(config.classes) and model.head.task == config.task


@pytest.mark.parametrize("name", LEAVES)
def test_builds_from_its_file_alone(name, tmp_path, monkeypatch):
    config = Config.fromfile(ROOT / f"{name}.py")
    monkeypatch.chdir(tmp_path)
    init_default_scope("mmdet")
    for loader in LOADERS:
        fabricate(config[loader].dataset)
    for loader in LOADERS:
        dataset = DATASETS.build(config[loader].dataset)
        sample = dataset[0]
        assert max(sample["inputs"].shape[1:]) <= 2 * config.img_size and len(dataset) >= 2
        assert ("instances" in sample["data_samples"] or "target" in sample["data_samples"]) or (
            loader == "train_dataloader" and "gt_instances" in sample["data_samples"]
        )
        sampler = DATA_SAMPLERS.build(config[loader].sampler, default_args={"dataset": dataset, "seed": 3})
        assert next(iter(sampler)) in range(len(dataset))
    if "resnet50" in name:
        config.model.backbone.weights = None  # it would be fetched
    with torch.device("meta"):
        model = MODELS.build(config.model)
    check(model, config, name)
    optimizer = build_optim_wrapper(model, config.optim_wrapper)
    for step in config.param_scheduler:
        PARAM_SCHEDULERS.build(step, default_args={"optimizer": optimizer})
    for hook in (*config.default_hooks.values(), *config.custom_hooks):
        HOOKS.build(hook)
    METRICS.build(config.val_evaluator)
    METRICS.build(config.test_evaluator)
    assert VISUALIZERS.get(config.visualizer.type) and config.visualizer.name
    assert {config.train_cfg.type, config.val_cfg.type, config.test_cfg.type} == {
        *("IterBasedTrainLoop", "ValLoop", "TestLoop")
    }


@pytest.mark.parametrize("name", LEAVES)
def test_what_stands_in_several_places_agrees(name):
    config = Config.fromfile(ROOT / f"{name}.py")
    sizes = [config[loader].dataset.img_size for loader in LOADERS]
    parts = (config.model.get("network"), config.model.backbone, config.model.data_preprocessor)
    sizes += [part.img_size for part in parts if part and part.get("type") != "ResNetBackbone"]
    assert set(sizes) == {config.img_size}
    for side in SIDES:
        dataset = config[f"{side}_dataloader"].dataset
        assert dataset.ann_file == config[f"{side}_ann"] and dataset.data_root == config.data_root
        assert dataset.data_prefix == config.data_prefix
        assert dataset.get("test_mode", False) == (side != "train")
        if not name.startswith(("ultrasam/", "zero_shot/")):
            assert dataset.classes == config.classes and dataset.get("task") == config.get("task")
    if config.model.type == "InstanceSegmenter":
        assert config.model.num_classes == len(config.classes)
    elif config.model.type == "ImageTask":
        assert config.model.classes == config.classes and config.model.task == config.task
    text = (ROOT / f"{name}.py").read_text()
    assert "/home" not in text and "/work" not in text
    # Changing one of them in a run must not change the other.
    assert config.val_evaluator is not config.test_evaluator
    assert config.val_dataloader.dataset is not config.test_dataloader.dataset


@pytest.mark.parametrize("name", [n for n in LEAVES if n.rsplit("_", 1)[1] != "phantom"])
def test_loaders_run_without_worker_processes(name):
    """PyTorch refuses persistent workers where there are none."""
    config = Config.fromfile(ROOT / f"{name}.py")
    assert not any(config[loader].get("persistent_workers") for loader in LOADERS)
