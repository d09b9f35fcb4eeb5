"""What mmengine opens: nothing in a file is executed, and training goes on from what is there."""

import copy
import io

import mmengine
import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer
from mmengine.runner import CheckpointLoader
from mmengine.runner import checkpoint as mmengine_checkpoint

from tests.kit.hostile import FORMATS, Bomb, torch_legacy, torch_zip
from tests.kit.miniature import changes, make_data, options
from ultrasam.errors import CheckpointError, DataError
from ultrasam.mm.engine.train import train
from ultrasam.mm.opening import read_checkpoint

SMALL = "ultrasam/ultrasam_vit-t_phantom"


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of two steps that kept both checkpoints, and its options."""
    folder = tmp_path_factory.mktemp("run")
    given = changes(*options(make_data(folder / "data", 16), 2, 2)[1:])
    given |= {"default_hooks.checkpoint.interval": 1, "default_hooks.checkpoint.max_keep_ckpts": 5}
    given |= {"train_cfg.val_interval": 99}
    train(SMALL, work_dir=folder / "a", cfg_options=given)
    return folder / "a", given


def _poison(path, trace, where):
    content = torch.load(path, weights_only=False)
    if where == "config":
        content["meta"]["config"] = f"open({str(trace)!r}, 'w').close()\na = 1"
    elif where == "log":
        content["message_hub"]["log_scalars"]["train/loss"] = Bomb(trace)
    else:
        content[where]["x"] = Bomb(trace)
    return content


def test_all_that_training_needs_is_read_with_its_values(trained):
    path = trained[0] / "iter_1.pth"
    freely, found = torch.load(path, weights_only=False), read_checkpoint(path)
    assert list(found) == list(freely)
    for name, value in freely["state_dict"].items():
        assert torch.equal(found["state_dict"][name], value)
    state = found["optimizer"]["state"]
    assert len(state) > 100 and found["optimizer"]["param_groups"] == freely["optimizer"]["param_groups"]
    for number, moments in freely["optimizer"]["state"].items():
        assert all(torch.equal(state[number][key], value) for key, value in moments.items())
    assert found["param_schedulers"] == freely["param_schedulers"]
    hub, expected = found["message_hub"], freely["message_hub"]
    assert set(hub["log_scalars"]) == set(expected["log_scalars"]) >= {"train/loss", "train/lr"}
    for name, numbers in expected["log_scalars"].items():
        assert type(hub["log_scalars"][name]) is HistoryBuffer
        for mine, theirs in zip(hub["log_scalars"][name].data, numbers.data, strict=True):
            assert mine.tolist() == theirs.tolist() and mine.dtype == theirs.dtype
        assert hub["log_scalars"][name].statistics("mean") == numbers.mean()
    assert hub["resumed_keys"] == expected["resumed_keys"]
    for holder, theirs in (
        (found["meta"], freely["meta"]),
        (hub["runtime_info"], expected["runtime_info"]),
    ):
        assert theirs.keys() - holder.keys() == {"cfg"}
        assert {key: holder[key] for key in holder} == {key: theirs[key] for key in holder}


def test_a_resumed_run_ends_with_the_same_bits(trained, tmp_path):
    folder, given = trained
    (tmp_path / "last_checkpoint").write_text(str(folder / "iter_1.pth"))
    last = train(SMALL, work_dir=tmp_path, resume=True, cfg_options=given)
    one, two = (read_checkpoint(path) for path in (folder / "iter_2.pth", last))
    assert all(torch.equal(value, two["state_dict"][name]) for name, value in one["state_dict"].items())
    losses = [found["message_hub"]["log_scalars"]["train/loss"].data[0] for found in (one, two)]
    assert losses[0].tolist() == losses[1].tolist() and len(losses[0]) == 2


@pytest.mark.parametrize("where", ["meta", "optimizer", "message_hub", "state_dict", "log"])
def test_resuming_from_a_file_that_wants_to_run_something(trained, tmp_path, where):
    folder, given = trained
    trace = tmp_path / "ran"
    hostile = torch_zip(tmp_path / "w.pth", _poison(folder / "iter_1.pth", trace, where))
    if where == "log":
        (tmp_path / "last_checkpoint").write_text(str(hostile))
    with pytest.raises(CheckpointError, match=r"w\.pth"):
        train(SMALL, work_dir=tmp_path, resume=True if where == "log" else hostile, cfg_options=given)
    assert not trace.exists()


def test_the_configuration_within_a_checkpoint_is_not_run(trained, tmp_path):
    folder, given = trained
    trace = tmp_path / "ran"
    hostile = torch_zip(tmp_path / "w.pth", _poison(folder / "iter_1.pth", trace, "config"))
    last = train(SMALL, work_dir=tmp_path, resume=hostile, cfg_options=given)
    assert last.name == "iter_2.pth" and not trace.exists()


@pytest.mark.parametrize("kind", sorted(FORMATS))
def test_every_loader_of_mmengine(tmp_path, kind, monkeypatch):
    """Local files, addresses, model zoos and object stores."""
    trace = tmp_path / "ran"
    path = FORMATS[kind](tmp_path / "w.pth", {"state_dict": {"x": Bomb(trace)}})
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    monkeypatch.setattr(mmengine_checkpoint, "get_torchvision_models", lambda: {"net": path.as_uri()})
    monkeypatch.setattr(mmengine_checkpoint, "get_external_models", lambda: {"net": str(path)})
    monkeypatch.setattr(mmengine_checkpoint, "get_mmcls_models", lambda: {"net": path.as_uri()})
    stored = type("Backend", (), {"get": lambda self, name: path.read_bytes()})
    monkeypatch.setattr(mmengine_checkpoint, "get_file_backend", lambda *a, **k: stored())
    net = torch.nn.Linear(1, 1)
    for name in (str(path), "torchvision://net", "open-mmlab://net", "mmcls://net", "s3://net"):
        with pytest.raises(CheckpointError):
            CheckpointLoader.load_checkpoint(name)
        with pytest.raises(CheckpointError):
            mmengine_checkpoint.load_checkpoint(net, name)
    with pytest.raises(CheckpointError):
        mmengine_checkpoint.load_from_http(path.as_uri())
    assert not trace.exists()
    assert mmengine_checkpoint._safe_torch_load(io.BytesIO(_good(tmp_path)))["a"].tolist() == [1.0]


def _good(folder):
    return torch_zip(folder / "good.pth", {"a": torch.ones(1)}).read_bytes()


def test_a_log_that_is_damaged(trained, tmp_path):
    content = torch.load(trained[0] / "iter_1.pth", weights_only=False)
    buffer = copy.deepcopy(content["message_hub"]["log_scalars"]["train/loss"])
    for change in ({"_log_history": [1, 2, 3]}, {"max_length": "many"}, {"_count_history": 5}):
        broken = copy.deepcopy(buffer)
        broken.__dict__.update(change)
        content["message_hub"]["log_scalars"]["train/loss"] = broken
        with pytest.raises(CheckpointError, match=r"w\.pth: the log of its training"):
            read_checkpoint(torch_zip(tmp_path / "w.pth", content))


class Stored:
    """Bytes that a pickle hands to torch."""

    def __init__(self, data):
        self.data = data

    def __reduce__(self):
        return torch.storage._load_from_bytes, (self.data,)


def test_pickles_and_yaml_that_mmengine_reads(tmp_path):
    """Annotation files and configurations."""
    trace = tmp_path / "ran"
    inner = torch_legacy(tmp_path / "inner", {"a": Bomb(trace)}).read_bytes()
    for name in ("a.pkl", "a.pickle"):
        for protocol in range(6):
            for content in (Bomb(trace), [{"images": Bomb(trace)}], Stored(inner), Stored(b"\x80\x02N.")):
                with pytest.raises(DataError, match="could run code|damaged|more than numbers"):
                    mmengine.load(FORMATS["raw"](tmp_path / name, content, protocol))
    rows = [{"masks": torch.rand(2, 3) > 0.5, "scores": np.arange(3.0), "best": np.float32(2), "id": b"x"}]
    for protocol in range(6):
        (found,) = mmengine.load(FORMATS["raw"](tmp_path / "good.pkl", rows, protocol))
        assert torch.equal(found["masks"], rows[0]["masks"]) and found["id"] == b"x"
        assert found["scores"].tolist() == [0, 1, 2] and found["best"] == 2
    for tag in ("python/object/apply:os.system", "python/object/new:os.system"):
        (tmp_path / "a.yaml").write_text(f"a: !!{tag} [\"touch '{trace}'\"]\n")
        with pytest.raises(DataError, match="plain values"):
            mmengine.load(tmp_path / "a.yaml")
    assert not trace.exists()
    (tmp_path / "b.yml").write_text("a: [1, 2]\nb: {c: x}\n")
    assert mmengine.load(tmp_path / "b.yml") == {"a": [1, 2], "b": {"c": "x"}}
