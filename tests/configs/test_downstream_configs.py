"""What the tasks' configurations say; how they build is tested in ``test_leaves``."""

from pathlib import Path

import pytest

pytest.importorskip("mmdet", reason="the extra 'mm' (OpenMMLab) is not installed")

from tests.kit.miniature import changes
from ultrasam.mm.engine.configuration import load_config

ROOT = Path(__file__).parents[2] / "configs/downstream"
NAMES = sorted(p.relative_to(ROOT).with_suffix("").as_posix() for p in ROOT.rglob("*.py"))


def read(name, *options):
    return load_config(f"downstream/{name}", cfg_options=changes(*options) if options else None)


def test_all_are_found():
    sets = ("bus_bra", "mmotu_2d", "gist514_db")
    expected = {
        f"segmentation/{n}_{d}" for d in sets for n in ("mask2former_vit-b", "paper/mask2former_vit-b")
    }
    expected |= {f"segmentation/paper/mask2former_resnet50_{d}" for d in sets}
    expected |= {f"classification/classifier_{n}_{d}" for n in ("vit-b", "resnet50") for d in sets}
    expected |= {"classification/classifier_vit-b_ahu", "regression/regression_vit-b_my-csv"}
    expected |= {"segmentation/mask2former_vit-t_phantom", "segmentation/paper/mask2former_vit-t_phantom"}
    expected |= {"classification/classifier_vit-t_phantom", "regression/regression_vit-t_phantom"}
    assert expected == set(NAMES)


def test_the_published_settings():
    """Tables 2 and 3: sections 5.1 and 5.2 of the specification."""
    config = read("segmentation/paper/mask2former_vit-b_mmotu_2d")
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
    config = read("classification/classifier_vit-b_mmotu_2d")
    assert config.train_cfg.max_iters == 2000 and config.param_scheduler[1].milestones == [1600]
    assert config.param_scheduler[0].end == 500 and config.train_dataloader.batch_size == 8
    assert config.model.data_preprocessor.black_padding and len(config.classes) == 8
