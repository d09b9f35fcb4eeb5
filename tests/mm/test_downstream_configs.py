"""Every configuration of a task builds its model, and says size, classes and paths once for all parts."""

from pathlib import Path

import pytest
import torch
from mmdet.registry import MODELS

from tests.kit.miniature import changes
from ultrasam.errors import ConfigError
from ultrasam.mm.engine.configuration import load_config

ROOT = Path(__file__).parents[2] / "configs/downstream"
NAMES = sorted(p.relative_to(ROOT).with_suffix("").as_posix() for p in ROOT.rglob("*.py"))


def read(name, *options):
    return load_config(f"downstream/{name}", cfg_options=changes(*options) if options else None)


def test_all_are_found():
    sets = ("bus-bra", "mmotu2d", "gist514-db")
    expected = {
        f"segmentation/{n}_{d}" for d in sets for n in ("mask2former_vit-b", "paper/mask2former_vit-b")
    }
    expected |= {f"segmentation/paper/mask2former_resnet50_{d}" for d in sets}
    expected |= {f"classification/classifier_{n}_{d}" for n in ("vit-b", "resnet50") for d in sets}
    expected |= {"classification/classifier_vit-b_ahu", "regression/regression_vit-b_my-csv"}
    expected |= {"segmentation/mask2former_vit-t_phantom", "segmentation/paper/mask2former_vit-t_phantom"}
    expected |= {"classification/classifier_vit-t_phantom", "regression/regression_vit-t_phantom"}
    assert expected == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_builds_with_one_size_and_one_list_of_classes(name):
    # Its weights would be fetched.
    config = read(name, *(["model.backbone.weights.path=None"] if "resnet" in name else []))
    with torch.device("meta"):
        model = MODELS.build(config.model)
    for side in ("train", "val", "test"):
        dataset = config[f"{side}_dataloader"].dataset
        assert dataset.img_size == config.img_size and dataset.classes == config.classes
        assert dataset.ann_file == config[f"{side}_ann"] and dataset.data_root == config.data_root
        assert dataset.get("test_mode", False) == (side != "train")
    assert config.model.data_preprocessor.img_size == config.img_size
    if "vit" in name:
        assert model.backbone.encoder.img_size == config.img_size
    if name.startswith("segmentation"):
        assert model.num_classes == len(config.classes) and model.num_stuff_classes == 0
        strides = model.panoptic_head.pixel_decoder.strides
        assert list(strides) == ([16] * 4 if "paper/mask2former_vit" in name else [4, 8, 16, 32])
    else:
        assert list(model.head.names) == list(config.classes) and model.head.task == config.task
    assert "/home" not in (ROOT / f"{name}.py").read_text()


def test_the_published_settings():
    """Tables 2 and 3: sections 5.1 and 5.2 of the specification."""
    config = read("segmentation/paper/mask2former_vit-b_mmotu2d")
    optimizer = config.optim_wrapper
    assert (optimizer.optimizer.lr, optimizer.optimizer.weight_decay) == (1e-4, 1e-4)
    assert optimizer.paramwise_cfg.custom_keys.backbone.lr_mult == 0.1 and optimizer.clip_grad.max_norm == 0.1
    assert config.train_cfg.max_iters == 8000 and config.param_scheduler[1].milestones == [6000]
    assert config.train_dataloader.batch_size == 8 and config.train_dataloader.dataset.jitter == (0.1, 2.0)
    head, train = config.model.panoptic_head, config.model.train_cfg
    assert (head.loss_cls.loss_weight, head.loss_mask.loss_weight, head.loss_dice.loss_weight) == (2, 5, 5)
    assert head.num_queries == 100 and head.transformer_decoder.num_layers == 9
    assert (train.num_points, train.oversample_ratio, train.importance_sample_ratio) == (12544, 3.0, 0.75)
    assert config.model.backbone.layers == (2, 5, 8, 11) and config.model.data_preprocessor.test_divisor == 32
    config = read("classification/classifier_vit-b_mmotu2d")
    assert config.train_cfg.max_iters == 2000 and config.param_scheduler[1].milestones == [1600]
    assert config.param_scheduler[0].end == 500 and config.train_dataloader.batch_size == 8
    assert config.model.data_preprocessor.black_padding and len(config.classes) == 8


def test_one_change_reaches_every_part():
    config = read("classification/classifier_vit-b_bus-bra", "classes=['a','b','c']", "img_size=512")
    assert config.model.classes == ["a", "b", "c"] and config.model.backbone.img_size == 512
    assert config.test_dataloader.dataset.img_size == 512


def test_a_data_set_without_a_test_file(tmp_path):
    path = tmp_path / "mine.py"
    base = ROOT.parent / "_base_/downstream/image_task.py"
    path.write_text(
        f"_base_ = [{str(base)!r}]\nclasses = ['a']\ndata_root = ''\ndata_prefix = dict(img='')\n"
    )
    with pytest.raises(ConfigError, match="does not say 'train_ann'"):
        load_config(path)
