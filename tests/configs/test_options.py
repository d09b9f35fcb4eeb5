"""Options reach what they are meant for, in every configuration; earlier names still work."""

import warnings
from pathlib import Path

import pytest

pytest.importorskip("mmdet", reason="the extra 'mm' (OpenMMLab) is not installed")

from tests.kit.leaves import LEAVES, LOADERS, ROOT, SIDES
from tests.kit.miniature import changes
from ultrasam.errors import ConfigError
from ultrasam.mm.engine.configuration import find_config, load_config
from ultrasam.mm.engine.variables import read_with

GIVEN = {
    "data_root": "s3://elsewhere/",
    "data_prefix.img": "pictures/",
    "train_ann": "a.json",
    "val_ann": "b.json",
    "test_ann": "c.json",
    "img_size": 320,
}


def read(name, *options):
    return load_config(name, cfg_options=changes(*options) if options else None)


@pytest.mark.parametrize("name", LEAVES)
def test_variables_reach_every_part(name):
    config = read_with(ROOT / f"{name}.py", GIVEN)
    for side in SIDES:
        dataset = config[f"{side}_dataloader"].dataset
        assert dataset.data_root == "s3://elsewhere/" and dataset.data_prefix.img == "pictures/"
        assert dataset.ann_file == GIVEN[f"{side}_ann"] and dataset.img_size == 320
    parts = (config.model.get("network"), config.model.backbone, config.model.data_preprocessor)
    sizes = [part.img_size for part in parts if part and part.get("type") != "ResNetBackbone"]
    assert set(sizes) == {320} and len(sizes) == 1 + ("resnet" not in name)


@pytest.mark.parametrize("name", [n for n in LEAVES if n.startswith("downstream/")])
def test_classes_reach_every_part(name):
    config = read_with(ROOT / f"{name}.py", {"classes": ["a", "b", "c"]})
    assert all(config[loader].dataset.classes == ["a", "b", "c"] for loader in LOADERS)
    model = config.model
    assert model.num_classes == 3 if name.startswith("downstream/seg") else model.classes == ["a", "b", "c"]


def test_variables_and_settings_together():
    config = read(
        "ultrasam/paper/ultrasam_vit-b_us43d",
        *("data_root=a b/", "train_dataloader.dataset.data_root=only/", "train_dataloader.batch_size=3"),
        *("released.size_rule=round", "param_scheduler.1.gamma=0.5"),
    )
    assert config.train_dataloader.dataset.data_root == "only/" and config.train_dataloader.batch_size == 3
    assert config.val_dataloader.dataset.data_root == "a b/" == config.data_root
    assert config.test_dataloader.dataset.size_rule == "round" and config.param_scheduler[1].gamma == 0.5
    assert config.filename.endswith("ultrasam_vit-b_us43d.py")


def test_the_task_is_one_for_all():
    config = read(
        "downstream/classification/classifier_resnet50_bus_bra",
        *("task=multi-label", "column=labels", "limits=(0,1)", "model.backbone.weights.path=None"),
    )
    assert config.model.task == "multi-label"
    for loader in LOADERS:
        dataset = config[loader].dataset
        assert (dataset.task, dataset.column, dataset.limits) == ("multi-label", "labels", (0, 1))


def test_files_of_ones_own(tmp_path):
    (tmp_path / "base.py").write_text(
        f"_base_ = [{str(ROOT / 'ultrasam/ultrasam_vit-b_us43d.py')!r}]\nsteps, name = 7, 'x'\n"
        "train_cfg = dict(max_iters=steps)\nwork_dir = '{{ fileDirname }}/out'\nunused = 1\n"
    )
    (tmp_path / "leaf.py").write_text("_base_ = 'base.py'\nval_cfg = dict(every={{_base_.steps}})\n")
    config = read(tmp_path / "leaf.py", "steps=5", "data_root=x/")
    assert config.train_cfg.max_iters == 5 == config.val_cfg.every
    assert config.work_dir == f"{tmp_path}/out" and config.train_dataloader.dataset.data_root == "x/"
    for option, words in (
        ("unused=2", "nothing reads 'unused'"),
        ("step=2", "no 'step' to set to 2; did you mean 'steps'"),
        ("modle.network.img_size=2", "did you mean 'model'"),
    ):
        with pytest.raises(ConfigError, match=words):
            read(tmp_path / "leaf.py", option)
    assert read(tmp_path / "leaf.py", "unused=1").unused == 1  # as it is


def test_a_variable_that_a_leaf_overrides_is_refused(tmp_path):
    (tmp_path / "leaf.py").write_text(
        f"_base_ = [{str(ROOT / 'ultrasam/ultrasam_vit-b_us43d.py')!r}]\n"
        "train_dataloader = dict(dataset=dict(ann_file='mine.json'))\n"
    )
    with pytest.raises(ConfigError, match="nothing reads 'train_ann'"):
        read(tmp_path / "leaf.py", "train_ann=other.json")


def test_a_configuration_without_data(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(
        f"_base_ = [{str(ROOT / '_base_/downstream/image_task.py')!r}]\ntrain_dataloader = dict()\n"
    )
    base = ROOT / "_base_/datasets/labels.py"
    path.write_text(f"_base_ = [{str(ROOT / '_base_/downstream/image_task.py')!r}, {str(base)!r}]\n")
    config = read(path)
    assert config.train_dataloader.dataset.type == "LabelDataset"
    path.write_text(
        f"_base_ = [{str(ROOT / '_base_/recipes/corrected.py')!r}]\n"
        "train_dataloader = dict(batch_size=2, dataset=dict(data_root='x', ann_file='y.json'))\n"
    )
    with pytest.raises(ConfigError, match=r"'train_dataloader\.dataset\.type'.*datasets/prompts\.py"):
        read(path)


def test_persistent_workers_go_where_there_are_no_workers(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(
        f"_base_ = [{str(ROOT / 'ultrasam/ultrasam_vit-b_us43d.py')!r}]\n"
        "train_dataloader = dict(persistent_workers=True)\n"
    )
    assert read(path).train_dataloader.persistent_workers
    assert "persistent_workers" not in read(path, "train_dataloader.num_workers=0").train_dataloader


OLD = {
    "ultrasam/ultrasam_vit-b_us43d_paper": "ultrasam/paper/ultrasam_vit-b_us43d",
    **{
        f"{kind}_{old}": f"{kind}_{new}"
        for old, new in (("bus-bra", "bus_bra"), ("gist514-db", "gist514_db"), ("mmotu2d", "mmotu_2d"))
        for kind in (
            *(f"ultrasam/{p}ultrasam_vit-b_{t}" for p in ("", "paper/")
              for t in ("box-refine", "box-no-refine", "point-refine", "point-no-refine")),
            *(f"downstream/classification/classifier_{b}" for b in ("vit-b", "resnet50")),
            *(f"downstream/segmentation/{m}" for m in
              ("mask2former_vit-b", "paper/mask2former_vit-b", "paper/mask2former_resnet50")),
        )
    },
}  # fmt: skip


def test_earlier_names_still_work(monkeypatch):
    assert len(OLD) == 1 + 3 * 13
    monkeypatch.chdir(ROOT.parent)
    for old, new in OLD.items():
        for given in (old, f"{old}.py", f"configs/{old}.py", str(ROOT / f"{old}.py")):
            with pytest.warns(FutureWarning, match=f"is now .*{new}.*0.3"):
                assert find_config(given).resolve() == ROOT / f"{new}.py"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in LEAVES:
            assert find_config(name) == Path(ROOT / f"{name}.py")


def test_earlier_names_of_settings_still_work(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    prefix = "default_hooks.visualization"
    with pytest.warns(FutureWarning, match=rf"'{prefix}.validation' is now '{prefix}.draw'"):
        config = read(
            "ultrasam/ultrasam_vit-t_phantom", f"{prefix}.validation=False", f"{prefix}.show_dir=shown"
        )
    assert config.default_hooks.visualization == {
        "type": "PromptVisualizationHook",
        "draw": False,
        "test_out_dir": str(tmp_path / "shown"),
    }
