"""What other tools save: micro-sam's containers, transformers' folders, and the types that ours state."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

import ultrasam
from tests.kit.closeness import assert_same
from ultrasam import checkpoints
from ultrasam.checkpoints.formats import PROMPT_EMBEDDING, SHARED_EMBEDDING
from ultrasam.cli.main import main
from ultrasam.errors import CheckpointError


def _same(path, model):
    found = ultrasam.load(path).state_dict()
    assert all(torch.equal(found[name], value) for name, value in model.state_dict().items())


def test_files_of_micro_sam(tiny_model, tmp_path):
    """Its training writes names under ``sam.`` beside an optimizer; its exports carry a second decoder."""
    state = dict(tiny_model.state_dict())
    decoder = {"encoder.blocks.0.weight": torch.ones(3), "out_conv.bias": torch.ones(3)}
    training = {
        "model_state": {f"sam.{name}": value for name, value in state.items()},
        "decoder_state": decoder,
        "optimizer_state": {"state": {}, "param_groups": []},
        "iteration": 5,
        "epoch": 1,
    }
    for content in (training, {**state, "decoder_state": decoder}, {"model_state": state}):
        torch.save(content, tmp_path / "w.pt")
        _same(tmp_path / "w.pt", tiny_model)


@pytest.fixture
def folder(tiny_model, tmp_path):
    checkpoints.save(tiny_model.state_dict(), tmp_path / "hf", "transformers")
    return tmp_path / "hf"


@pytest.mark.parametrize("tied", [SHARED_EMBEDDING, PROMPT_EMBEDDING])
def test_one_name_of_two_is_enough(tiny_model, folder, tied):
    """transformers writes the first alone."""
    state = load_file(folder / "model.safetensors")
    assert torch.equal(state[SHARED_EMBEDDING], state[PROMPT_EMBEDDING])
    del state[tied]
    save_file(state, folder / "model.safetensors")
    _same(folder, tiny_model)
    state[tied] = state[SHARED_EMBEDDING if tied == PROMPT_EMBEDDING else PROMPT_EMBEDDING] + 1
    save_file(state, folder / "model.safetensors")
    with pytest.raises(CheckpointError, match="one matrix in transformers, and differ"):
        ultrasam.load(folder)


def _cut_up(folder, kind="safetensors"):
    state = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    names, map_ = sorted(state), {}
    stem = "model" if kind == "safetensors" else "pytorch_model"
    for number in range(3):
        piece = f"{stem}-{number + 1:05}-of-00003.{kind}"
        part = {name: state[name] for name in names[number::3]}
        save_file(part, folder / piece) if kind == "safetensors" else torch.save(part, folder / piece)
        map_.update(dict.fromkeys(part, piece))
    (folder / f"{stem}.{kind}.index.json").write_text(json.dumps({"metadata": {}, "weight_map": map_}))
    return folder / f"{stem}.{kind}.index.json"


@pytest.mark.parametrize("kind", ["safetensors", "bin"])
def test_folders_in_pieces(tiny_model, folder, kind):
    index = _cut_up(folder, kind)
    _same(folder, tiny_model)
    next(folder.glob("*-00002-*")).unlink()
    with pytest.raises(CheckpointError, match=r"pieces that are not there: .*00002-of-00003"):
        ultrasam.load(folder)
    for content, told in (
        ("{}", "not an index"),
        ("[1]", "not an index"),
        ("half {", "not an index"),
        ('{"weight_map": {}}', "no file"),
        ('{"weight_map": {"a": 3}}', "not an index"),
        ('{"weight_map": {"a": "../w.safetensors"}}', "lie beside it"),
        ('{"weight_map": {"a": "/etc/passwd"}}', "lie beside it"),
    ):
        index.write_text(content)
        with pytest.raises(CheckpointError, match=told):
            ultrasam.load(folder)


def test_what_transformers_writes_is_read(tiny_model, folder, tmp_path):
    transformers = pytest.importorskip("transformers", reason="transformers (extra 'dev') is not installed")
    model = transformers.SamModel.from_pretrained(folder)
    model.save_pretrained(tmp_path / "saved")
    model.save_pretrained(tmp_path / "pieces", max_shard_size="2MB")
    assert (tmp_path / "pieces/model.safetensors.index.json").is_file()
    assert SHARED_EMBEDDING in load_file(tmp_path / "saved/model.safetensors")
    for name in ("saved", "pieces"):
        _same(tmp_path / name, tiny_model)


@pytest.mark.parametrize(("option", "stored"), [([], torch.float32), (["--half"], torch.float16)])
@pytest.mark.parametrize("given", [torch.float16, torch.float32, torch.bfloat16])
def test_exports_say_the_type_that_they_hold(tiny_model, tmp_path, option, stored, given):
    torch.save({n: v.to(given) for n, v in tiny_model.state_dict().items()}, tmp_path / "w.pth")
    folder = tmp_path / "hf"
    assert (
        main(["weights", "convert", str(tmp_path / "w.pth"), str(folder), "--to", "transformers", *option])
        == 0
    )
    assert {value.dtype for value in load_file(folder / "model.safetensors").values()} == {stored}
    config = json.loads((folder / "config.json").read_text())
    name = str(stored).removeprefix("torch.")
    assert config["torch_dtype"] == config["vision_config"]["torch_dtype"] == name
    assert (
        main(["weights", "convert", str(tmp_path / "w.pth"), str(tmp_path / "o.pth"), "--to", "sam", *option])
        == 0
    )
    assert {value.dtype for value in checkpoints.read(tmp_path / "o.pth").values()} == {stored}


def test_the_encoder_alone_runs_in_transformers(tiny_model, tmp_path):
    """A vision model of transformers goes by its own part of the configuration."""
    transformers = pytest.importorskip("transformers", reason="transformers (extra 'dev') is not installed")
    torch.save({n: v.half() for n, v in tiny_model.state_dict().items()}, tmp_path / "w.pth")
    image = torch.randn(1, 3, 256, 256)
    for half in (False, True):
        folder = tmp_path / f"half-{half}"
        checkpoints.convert(tmp_path / "w.pth", folder, "transformers", half=half)
        encoder = transformers.SamVisionModel.from_pretrained(folder).eval()
        (dtype,) = {value.dtype for value in encoder.parameters()}
        assert dtype == (torch.float16 if half else torch.float32)
        with torch.no_grad():
            found = encoder.float()(image).last_hidden_state
            assert_same(found, ultrasam.load(folder).encode_images(image))


def test_numbers_that_do_not_fit_into_half(tiny_model, tmp_path):
    state = dict(tiny_model.state_dict())
    state["mask_decoder.iou_token.weight"] = torch.full((1, 256), 1e6)
    with pytest.raises(CheckpointError, match=r"iou_token.* float16 cannot hold"):
        checkpoints.save(state, tmp_path / "w.pth", half=True)
    assert not (tmp_path / "w.pth").exists()
