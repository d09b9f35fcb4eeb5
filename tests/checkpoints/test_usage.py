"""What weights want to be used with stays with them, whoever writes and reads the file."""

import json
from collections import OrderedDict

import pytest
import torch
from safetensors import safe_open

import ultrasam
from ultrasam import checkpoints
from ultrasam.checkpoints import writing
from ultrasam.checkpoints.places import OWN_FILE
from ultrasam.cli.main import main
from ultrasam.errors import CheckpointError, UltraSamError
from ultrasam.modeling.build import Variant, build_variant
from ultrasam.predict.predictor import Predictor
from ultrasam.types import ModelUsage

TINY = Variant(embed_dim=48, depth=2, num_heads=4, global_attn_indexes=(1,), img_size=256, window_size=7)
CLOSER = ModelUsage(closer=True)
FILES = {
    "sam": "w.pth",
    "ultrasam": "w.pth",
    "transformers": "hf",
    "mmdet": "w.pth",
    "safetensors": "w.safetensors",
}


@pytest.fixture
def model():
    network = build_variant(TINY).eval()
    network.usage = CLOSER
    return network


@pytest.mark.parametrize("to", sorted(FILES))
def test_every_format_of_whole_models_keeps_it(model, tmp_path, to):
    first = tmp_path / FILES[to]
    checkpoints.save(model.state_dict(), first, to)
    assert ultrasam.load(first).usage == CLOSER and Predictor(first, device="cpu").closer
    for other, name in FILES.items():
        checkpoints.convert(first, tmp_path / "second" / name, other)
        assert ultrasam.load(tmp_path / "second" / name).usage == CLOSER
        checkpoints.convert(first, tmp_path / "second" / name, other, usage=ModelUsage())
        assert ultrasam.load(tmp_path / "second" / name).usage == ModelUsage()


def test_where_it_lies(model, tmp_path):
    """Other programs find it, and take the files as ever."""
    checkpoints.save(model.state_dict(), tmp_path / "w.safetensors", "safetensors")
    with safe_open(tmp_path / "w.safetensors", "pt") as file:
        assert json.loads(file.metadata()["ultrasam"]) == {"closer": True}
    assert json.loads((tmp_path / "w.json").read_text())["usage"] == {"closer": True}
    checkpoints.save(model.state_dict(), tmp_path / "hf", "transformers")
    assert json.loads((tmp_path / "hf/config.json").read_text())["ultrasam"] == {"closer": True}
    checkpoints.save(model.state_dict(), tmp_path / "w.pth", "sam")
    bare = torch.load(tmp_path / "w.pth", weights_only=True)
    assert bare.keys() == model.state_dict().keys() and bare._metadata[""]["ultrasam"] == {"closer": True}


def test_transformers_keeps_it(model, tmp_path):
    transformers = pytest.importorskip("transformers")
    checkpoints.save(model.state_dict(), tmp_path / "ours", "transformers")
    theirs = transformers.SamModel.from_pretrained(tmp_path / "ours")
    theirs.save_pretrained(tmp_path / "theirs")
    again = ultrasam.load(tmp_path / "theirs")
    assert again.usage == CLOSER
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in model.state_dict().items())


def test_a_state_dict_carries_it(model, tmp_path):
    """A script that trains a loaded model and saves it with PyTorch alone does not lose it."""
    torch.save(model.state_dict(), tmp_path / "bare.pth")
    torch.save({"model": model.state_dict(), "epoch": 3}, tmp_path / "held.pth")
    wrapped = torch.nn.ModuleDict({"sam": model})
    torch.save({"state_dict": wrapped.state_dict()}, tmp_path / "wrapped.pth")
    for name in ("bare", "held", "wrapped"):
        assert ultrasam.load(tmp_path / f"{name}.pth").usage == CLOSER
    other = build_variant(TINY)
    other.load_state_dict(dict(model.state_dict()))
    assert other.usage == ModelUsage()
    other.load_state_dict(torch.load(tmp_path / "bare.pth", weights_only=True))
    assert other.usage == CLOSER
    ready = build_variant(TINY)
    checkpoints.load_file_into(ready, tmp_path / "wrapped.pth")
    assert ready.usage == CLOSER


def test_files_of_others_want_nothing(model, tmp_path):
    torch.save(dict(model.state_dict()), tmp_path / "plain.pth")
    assert ultrasam.load(tmp_path / "plain.pth").usage == ModelUsage()
    model.usage = ModelUsage()
    checkpoints.save(model.state_dict(), tmp_path / "w.safetensors", "safetensors")
    assert ultrasam.load(tmp_path / "w.safetensors").usage == ModelUsage()
    own = ultrasam.load(OWN_FILE).usage
    assert (own.closer, own.cleanup, own.single) == (True, True, False) and own.quality is not None


@pytest.mark.parametrize("note", [{"closer": 1}, [3], "yes", {"closer": {}}])
def test_a_note_of_another_form_is_refused(model, tmp_path, note):
    state = OrderedDict(model.state_dict())
    state._metadata = OrderedDict({"": {"ultrasam": note}})
    torch.save(state, tmp_path / "w.pth")
    with pytest.raises(CheckpointError, match=r"w\.pth.*should say how the weights are used"):
        ultrasam.load(tmp_path / "w.pth")


def test_what_a_later_version_adds_is_no_obstacle(model, tmp_path):
    state = OrderedDict(model.state_dict())
    state._metadata = OrderedDict({"": {"ultrasam": {"closer": True, "color": "green"}}})
    torch.save(state, tmp_path / "w.pth")
    assert ultrasam.load(tmp_path / "w.pth").usage == CLOSER


def test_a_broken_configuration_of_transformers_is_named(model, tmp_path):
    checkpoints.save(model.state_dict(), tmp_path / "hf", "transformers")
    (tmp_path / "hf/config.json").write_text("{")
    with pytest.raises(CheckpointError, match=r"config\.json is not a configuration"):
        ultrasam.load(tmp_path / "hf")


def test_the_command_shows_and_sets_it(model, tmp_path, capsys):
    torch.save(dict(model.state_dict()), tmp_path / "old.pth")
    for flags, told in (([], "no"), (["--closer"], "yes")):
        command = ["weights", "convert", str(tmp_path / "old.pth"), str(tmp_path / "new.pth"), "--to", "sam"]
        assert main([*command, *flags]) == 0
        capsys.readouterr()
        assert main(["weights", "info", str(tmp_path / "new.pth")]) == 0
        assert f"looks closer at each object: {told}" in capsys.readouterr().out


def test_a_file_is_written_whole_or_not_at_all(model, tmp_path, monkeypatch):
    path = tmp_path / "w.pth"
    checkpoints.save(model.state_dict(), path)
    before = path.read_bytes()

    def full(content, file):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writing.torch, "save", full)
    with pytest.raises(UltraSamError, match=r"cannot write .*w\.pth: No space left"):
        checkpoints.save(model.state_dict(), path)
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["w.pth"]


def test_others_may_read_what_is_written(model, tmp_path):
    (tmp_path / "any").touch()
    for to in ("sam", "safetensors"):
        for path in checkpoints.save(model.state_dict(), tmp_path / FILES[to], to):
            assert path.stat().st_mode == (tmp_path / "any").stat().st_mode


def test_no_file_where_a_file_is_a_folder(model, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UltraSamError, match="cannot write"):
        checkpoints.save(model.state_dict(), tmp_path / "file" / "w.pth")
