"""What the promptable models' configurations say; how they build is tested in ``test_leaves``."""

import pytest

pytest.importorskip("mmdet", reason="the extra 'mm' (OpenMMLab) is not installed")

from tests.kit.leaves import LEAVES
from tests.kit.miniature import changes
from ultrasam.errors import ConfigError
from ultrasam.mm.engine.configuration import load_config

PROMPTED = [name for name in LEAVES if name.startswith(("ultrasam/", "zero_shot/"))]


def read(name, *options):
    return load_config(name, cfg_options=changes(*options) if options else None)


def test_all_are_found():
    tests = [
        f"{p}-{r}_{d}"
        for p in ("point", "box")
        for r in ("refine", "no-refine")
        for d in ("bus_bra", "mmotu_2d", "gist514_db")
    ]
    expected = {f"ultrasam/{p}ultrasam_vit-b_{name}" for p in ("", "paper/") for name in (*tests, "us43d")}
    expected |= {f"zero_shot/ultrasam_vit-b_us43d-no-{o}" for o in ("breast", "ovary", "gastrointestinal")}
    expected |= {f"ultrasam/ultrasam_vit-b_us43d_{kind}" for kind in ("8gib", "24gib", "shards")}
    expected |= {
        f"ultrasam/ultrasam_vit-{n}" for n in ("b_my-coco", "t_phantom", "t_small", "t_small_longer")
    }
    assert expected == set(PROMPTED) and len(expected) == 36


@pytest.mark.parametrize("name", PROMPTED)
def test_the_rules_go_with_the_recipe(name):
    config = read(name)
    loaders = [config[f"{side}_dataloader"].dataset for side in ("val", "test")]
    # The released variant of a rule goes with the recipe, in training and in testing.
    released = config.train_dataloader.dataset.prompts.released
    assert all(d.prompts.released == released for d in loaders)
    assert (
        (config.model.postprocess == "official")
        == released
        == (config.train_dataloader.dataset.size_rule == "truncate")
    )


@pytest.mark.parametrize("name", [n for n in PROMPTED if "point-" in n or "box-" in n])
def test_names_say_what_is_tested(name):
    config = read(name)
    assert config.test_dataloader.dataset.prompts.point_probability == (1.0 if "point-" in name else 0.0)
    assert config.model.test_refine.passes == (0 if "no-refine" in name else 1)
    assert config.test_dataloader.dataset.data_root == f"data/{name.split('refine_')[1]}/"


def test_the_published_recipe():
    """Table 3.1 of the published training."""
    config = read("ultrasam/paper/ultrasam_vit-b_us43d.py")
    optimizer = config.optim_wrapper.optimizer
    assert (optimizer.type, optimizer.lr, optimizer.weight_decay) == ("AdamW", 1e-4, 1e-4)
    assert config.optim_wrapper.clip_grad.max_norm == 0.1
    warm_up, steps = config.param_scheduler
    assert (warm_up.start_factor, warm_up.end) == (0.001, 500)
    assert steps.milestones == [20000, 28888] and steps.gamma == 0.1
    assert config.train_cfg.max_iters == 30000 and config.train_dataloader.batch_size == 8
    loss = config.model.loss
    assert (loss.focal_weight, loss.dice_weight, loss.iou_weight, loss.iou_loss) == (20, 1, 1, "mse")
    assert config.model.train_refine.passes == 1 and not config.model.train_refine.detach
    assert config.model.network.decoder_dropout == 0.1
    prompts = config.train_dataloader.dataset.prompts
    assert (prompts.point_probability, prompts.box_noise) == (0.5, 0.05)
    assert config.train_dataloader.dataset.flip == 0.5 and config.model.network.img_size == 1024


def test_a_name_of_the_package_and_changes():
    options = changes("optim_wrapper.optimizer.lr=0.5", "train_dataloader.dataset.data_root=a b/")
    config = load_config("ultrasam/ultrasam_vit-t_phantom", seed=7, cfg_options=options)
    assert config.optim_wrapper.optimizer.lr == 0.5 and config.train_dataloader.dataset.data_root == "a b/"
    assert config.randomness.seed == 7 and config.work_dir.endswith("ultrasam_vit-t_phantom")


def test_refusals(tmp_path):
    (tmp_path / "broken.py").write_text("model = dict(")
    for path, words in (
        (tmp_path / "broken.py", "not a valid configuration"),
        ("nothing.py", "no configuration at"),
    ):
        with pytest.raises(ConfigError, match=words):
            read(path)
    with pytest.raises(ConfigError, match="input size differs"):
        read("ultrasam/ultrasam_vit-t_phantom.py", "model.network.img_size=128")


@pytest.mark.parametrize("card", ["24gib", "8gib"])
def test_recipes_for_small_cards_take_the_updates_of_the_large_one(card):
    large, small = read("ultrasam/ultrasam_vit-b_us43d.py"), read(f"ultrasam/ultrasam_vit-b_us43d_{card}.py")
    times = small.optim_wrapper.accumulative_counts
    assert times * small.train_dataloader.batch_size == large.auto_scale_lr.base_batch_size == 32
    assert small.train_cfg.max_iters == times * large.train_cfg.max_iters
    for a, b in zip(small.param_scheduler, large.param_scheduler, strict=True):
        assert a.type == b.type and a.end == times * b.end
        assert a.get("milestones", []) == [times * step for step in b.get("milestones", [])]
    assert small.optim_wrapper.optimizer == large.optim_wrapper.optimizer
    assert small.model.network.checkpointing and small.optim_wrapper.type == "Bfloat16OptimWrapper"
