"""Checkpoints of a training whose content is no such thing, and configurations with slips: one line each."""

import copy

import pytest
import torch

from tests.kit.hostile import torch_zip
from tests.kit.miniature import changes, options
from ultrasam.errors import CheckpointError, ConfigError
from ultrasam.mm.engine.resuming import training_meta
from ultrasam.mm.engine.test import test as score
from ultrasam.mm.engine.train import train

SMALL = "ultrasam/ultrasam_vit-t_phantom"
GOOD = {
    "state_dict": {"a": torch.ones(2)},
    "optimizer": {"state": {}, "param_groups": [{"params": [0]}]},
    "param_schedulers": [{"last_step": 1}],
    "meta": {"iter": 1, "epoch": 0, "seed": 0, "threads": 1},
    "message_hub": {"log_scalars": {}, "runtime_info": {}, "resumed_keys": {}},
}


def test_a_whole_one_is_taken(tmp_path):
    assert training_meta(torch_zip(tmp_path / "a.pth", GOOD)) == GOOD["meta"]


@pytest.mark.parametrize(
    ("part", "value"),
    [
        *(("meta", value) for value in (None, 5, [])),
        *(("meta.iter", value) for value in ("5", -5, 10**30, True, None, 1.5)),
        *(("meta.threads", value) for value in ("x", 10**9, -1)),
        *(("meta.seed", value) for value in ("x", -1, 2**32)),
        *(("optimizer", value) for value in (None, {}, {"state": {}, "param_groups": 5})),
        *(("state_dict", value) for value in ([1], {"a": 5}, {5: torch.ones(1)})),
        *(("param_schedulers", value) for value in (5, [5])),
        *(("message_hub", value) for value in (None, 5, {"runtime_info": {}, "log_scalars": {}})),
        ("message_hub.runtime_info", 5),
    ],
)
def test_damaged_ones_are_told(tmp_path, part, value):
    content = copy.deepcopy(GOOD)
    *outer, name = part.split(".")
    (content[outer[0]] if outer else content)[name] = value
    path = torch_zip(tmp_path / "a.pth", content)
    with pytest.raises(
        CheckpointError, match=r"a\.pth (can't be gone on from: |is no checkpoint of a training)"
    ):
        training_meta(path)


SLIPS = {
    "train_cfg.max_iter=5": "IterBasedTrainLoop.*max_iter",
    "train_dataloader.batch_sise=5": "batch_sise",
    "train_dataloader.batch_size=0": "batch_size=0",
    "optim_wrapper.optimizer.lrr=5": "AdamW.*lrr",
    "optim_wrapper.optimizer.lr=-1": "learning rate: -1",
    "model.network.varant=vit_b": "varant",
    "model.type=Nope": "Nope is not in",
    "model=5": "its 'model' is 5",
    "default_hooks=5": "its 'default_hooks' is 5",
    "train_dataloader.dataset.ann_file=5": "train_dataloader.dataset.ann_file",
}


@pytest.mark.parametrize("slip", SLIPS)
def test_slips_in_a_configuration(phantom_data, tmp_path, slip):
    given = changes(*options(phantom_data, 1, 2)[1:]) | changes(slip)
    with pytest.raises(ConfigError, match=SLIPS[slip]):
        train(SMALL, work_dir=tmp_path, cfg_options=given)


def test_other_slips(phantom_data, tmp_path, tiny_weights):
    given = changes(*options(phantom_data, 1, 2)[1:])
    for wrong in ({"accumulate": 0}, {"accumulate": -1}, {"ema": 5.0}, {"ema": -1.0}):
        with pytest.raises(ConfigError, match="not "):
            train(SMALL, work_dir=tmp_path, cfg_options=given, **wrong)
    with pytest.raises(ConfigError, match="lables"):
        score(SMALL, tiny_weights, work_dir=tmp_path, cfg_options=given | {"model.lables": 1})
    for name, text in {"empty.py": "", "list.json": '{"a": 1}'}.items():
        (tmp_path / name).write_text(text)
        with pytest.raises(ConfigError, match=f"{name} is not a whole configuration"):
            train(tmp_path / name, work_dir=tmp_path / "out")


def test_runs_of_one_second_have_nothing_in_common(monkeypatch, phantom_data, tmp_path):
    """mmengine names what they log to by their configuration and the second they begin in."""
    given = changes(*options(phantom_data, 1, 2)[1:])
    monkeypatch.setattr("mmengine.runner.runner.time.strftime", lambda *_: "20200101_000000")
    for name in "ab":
        train(SMALL, work_dir=tmp_path / name, cfg_options=given)
        (log,) = (tmp_path / name).glob("*/*.log")
        assert "Iter(train) [1/1]" in log.read_text()
        assert len((tmp_path / name / "20200101_000000/vis_data/scalars.json").read_text().splitlines()) >= 1
    hubs = [torch.load(tmp_path / n / "iter_1.pth", weights_only=False)["message_hub"] for n in "ab"]
    assert [len(hub["log_scalars"]["train/loss"].data[0]) for hub in hubs] == [1, 1]
