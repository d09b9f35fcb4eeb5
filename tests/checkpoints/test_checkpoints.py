"""One weight file in every ecosystem; the real libraries are the judges, on random weights."""

import importlib
import json
import os
import pickle

import numpy as np
import pytest
import torch

import ultrasam
from tests.kit.closeness import assert_as_exact, assert_same
from tests.kit.models import TINY
from tests.kit.peer import build_peer, exact
from ultrasam import checkpoints
from ultrasam.cli.main import main
from ultrasam.errors import CheckpointError
from ultrasam.types import Prompts


@pytest.fixture(scope="module")
def image():
    return torch.randn(1, 3, 256, 256, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def embedding(tiny_model, image):
    with torch.no_grad():
        return tiny_model.encode_images(image)


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


FULL = {
    "sam": "w.pth",
    "ultrasam": "w.pth",
    "transformers": "hf",
    "mmdet": "w.pth",
    "safetensors": "w.safetensors",
}


@pytest.mark.parametrize("to", sorted(FULL))
def test_round_trip_is_bit_equal(tiny_model, tmp_path, to):
    first = checkpoints.save(tiny_model.state_dict(), tmp_path / FULL[to], to)
    assert all(path.is_file() for path in first)
    again, report = checkpoints.load_with_report(tmp_path / FULL[to])
    assert same(tiny_model.state_dict(), again.state_dict())
    assert report.kind == {"mmdet": "sam", "safetensors": "sam"}.get(to, to)
    assert report.loaded == len(tiny_model.state_dict()) and not report.missing and not report.unexpected
    assert len(report.folded) == (4 if to == "ultrasam" else 0)
    # From every format to every other.
    for other, name in FULL.items():
        checkpoints.convert(tmp_path / FULL[to], tmp_path / "second" / name, other)
        assert same(tiny_model.state_dict(), ultrasam.load(tmp_path / "second" / name).state_dict())


@pytest.mark.parametrize("to", ["timm", "mmpretrain"])
@pytest.mark.parametrize("name", ["w.pth", "w.safetensors"])
def test_encoder_round_trip_is_bit_equal(tiny_model, tmp_path, to, name):
    checkpoints.save(tiny_model.state_dict(), tmp_path / name, to)
    again = ultrasam.load_encoder(tmp_path / name)
    assert same(tiny_model.image_encoder.state_dict(), again.encoder.state_dict())
    with pytest.raises(CheckpointError, match="load_encoder"):
        ultrasam.load(tmp_path / name)


def test_embedding_in_segment_anything(tiny_model, image, embedding, tmp_path):
    theirs = build_peer(TINY)
    checkpoints.save(tiny_model.state_dict(), tmp_path / "w.pth", "sam")
    theirs.load_state_dict(torch.load(tmp_path / "w.pth", weights_only=True), strict=True)
    with torch.no_grad():
        truth = exact(theirs).image_encoder(image.double())
        assert_as_exact(embedding, theirs.image_encoder(image), truth)


@torch.no_grad()
def test_embedding_and_masks_in_transformers(tiny_model, image, embedding, tmp_path):
    from transformers import SamModel

    checkpoints.save(tiny_model.state_dict(), tmp_path / "hf", "transformers")
    theirs, told = SamModel.from_pretrained(tmp_path / "hf", output_loading_info=True)
    assert not told["missing_keys"] and not told["unexpected_keys"]
    theirs.eval()
    found = theirs.get_image_embeddings(image)
    assert_same(embedding, found)
    points = torch.tensor([[[[100.0, 80.0], [30.0, 200.0]]]])
    expected = theirs(
        image_embeddings=embedding,
        input_points=points,
        input_labels=torch.tensor([[[1, 0]]]),
        multimask_output=True,
    )
    # transformers takes pixel indices, as segment-anything.
    prompts = Prompts(torch.zeros(1, dtype=torch.long), points[0] + 0.5, torch.tensor([[1, 0]]))
    ours = tiny_model.decode(embedding, prompts, multimask=True)
    assert_same(ours.logits[0], expected.pred_masks[0, 0])
    assert_same(ours.iou[0], expected.iou_scores[0, 0], scale=1)


@torch.no_grad()
def test_embedding_in_timm(tiny_model, image, embedding, tmp_path):
    import timm

    checkpoints.save(tiny_model.state_dict(), tmp_path / "w.safetensors", "timm")
    theirs = timm.create_model(
        "samvit_base_patch16", pretrained=False, embed_dim=48, depth=2, num_heads=4, img_size=256,
        window_size=7, global_attn_indexes=(1,), checkpoint_path=str(tmp_path / "w.safetensors"),
    ).eval()  # fmt: skip
    peer, truth = theirs.forward_features(image), theirs.double().forward_features(image.double())
    assert_as_exact(embedding, peer, truth)


@torch.no_grad()
def test_embedding_in_mmpretrain(tiny_model, image, embedding, tmp_path):
    pytest.importorskip("mmengine")
    # Ours first: it lets mmpretrain import beside a current transformers.
    importlib.import_module("ultrasam.mm")
    vit_sam = importlib.import_module("mmpretrain.models.backbones").ViTSAM
    arch = {
        "embed_dims": 48,
        "num_layers": 2,
        "num_heads": 4,
        "feedforward_channels": 192,
        "global_attn_indexes": [1],
    }
    theirs = vit_sam(arch, img_size=256, patch_size=16, out_channels=256, window_size=7)
    theirs.eval()
    checkpoints.save(tiny_model.state_dict(), tmp_path / "w.pth", "mmpretrain")
    theirs.load_state_dict(torch.load(tmp_path / "w.pth", weights_only=True), strict=True)
    peer, truth = theirs(image)[0], theirs.double()(image.double())[0]
    assert_as_exact(embedding, peer, truth)


WRAPPERS = {
    "bare": lambda s: s,
    "model": lambda s: {"model": s, "optimizer": {"lr": 0.1}, "epoch": 3},
    "state_dict": lambda s: {"state_dict": s, "meta": {}},
    "module": lambda s: {"state_dict": {f"module.{k}": v for k, v in s.items()}},
    "compiled": lambda s: {f"_orig_mod.{k}": v for k, v in s.items()},
    "lightning": lambda s: {"state_dict": {f"model.{k}": v for k, v in s.items()}, "epoch": 1},
    "detector": lambda s: {"state_dict": {f"sam.{k}": v for k, v in s.items()}},
    "averaged": lambda s: {f"ema_{k}": v for k, v in s.items()},
    "both": lambda s: {**s, **{f"ema_{k}": v + 1 for k, v in s.items()}},
    "constants": lambda s: {**s, "pixel_mean": torch.zeros(3, 1, 1), "pixel_std": torch.ones(3, 1, 1)},
    "half": lambda s: {k: v.half() for k, v in s.items()},
}


@pytest.mark.parametrize("wrapper", sorted(WRAPPERS))
def test_wrappers_and_prefixes(tiny_model, tmp_path, wrapper):
    torch.save(WRAPPERS[wrapper](dict(tiny_model.state_dict())), tmp_path / "w.pth")
    again = ultrasam.load(tmp_path / "w.pth").state_dict()
    if wrapper == "half":
        assert all(
            (again[k] - v).abs().max() <= 2**-11 * v.abs().max() for k, v in tiny_model.state_dict().items()
        )
    else:
        assert same(tiny_model.state_dict(), again)


def test_container_with_training_history(tiny_model, tmp_path):
    """As mmengine writes it: history objects and numpy scalars beside the weights; they stay inert."""
    history = pytest.importorskip("mmengine.logging").HistoryBuffer([1.0, 2.0], [1, 1])
    hub = {"log_scalars": {"train/loss": history}, "runtime_info": {"iter": np.int64(3)}}
    content = {"meta": {"iter": 3}, "state_dict": checkpoints.to_published(tiny_model.state_dict())}
    torch.save({**content, "message_hub": hub}, tmp_path / "w.pth")
    assert same(tiny_model.state_dict(), ultrasam.load(tmp_path / "w.pth").state_dict())


def test_folding_is_switchable_and_exact_up_to_rounding(tiny_model, tmp_path):
    checkpoints.save(tiny_model.state_dict(), tmp_path / "w.pth", "ultrasam")
    stored = torch.load(tmp_path / "w.pth", weights_only=True)["state_dict"]
    name = "mask_decoder.transformer.layers.0.mlp.lin2.weight"
    own = tiny_model.state_dict()[name]
    assert torch.equal(stored["decoder.layers.0.mlp.layers.1.weight"], own * 2)
    assert torch.equal(ultrasam.load(tmp_path / "w.pth", fold_residual=False).state_dict()[name], own * 2)
    checkpoints.save(tiny_model.state_dict(), tmp_path / "s.pth", "sam")
    assert torch.equal(ultrasam.load(tmp_path / "s.pth", fold_residual=True).state_dict()[name], own / 2)


def test_report_names_what_is_wrong(tiny_model, tmp_path):
    state = dict(tiny_model.state_dict())
    del state["prompt_encoder.no_mask_embed.weight"]
    state["adapter.weight"] = torch.zeros(3)
    torch.save(state, tmp_path / "w.pth")
    with pytest.raises(CheckpointError) as error:
        ultrasam.load(tmp_path / "w.pth")
    for word in ("missing 1: prompt_encoder.no_mask_embed.weight", "unexpected 1: adapter.weight", "w.pth"):
        assert word in str(error.value)
    _, report = checkpoints.load_with_report(tmp_path / "w.pth", strict=False)
    assert report.missing == ["prompt_encoder.no_mask_embed.weight"] and report.unexpected == [
        "adapter.weight"
    ]


class Bomb:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (self.path, "w"))


class Shell:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (os.system, (f"touch {self.path}",))


@pytest.mark.parametrize("protocol", [2, 4])
def test_hostile_pickles_are_refused(tiny_model, tmp_path, protocol):
    trace = tmp_path / "ran"
    hostile = {"state_dict": dict(tiny_model.state_dict()), "meta": Bomb(str(trace))}
    torch.save(hostile, tmp_path / "zip.pth", pickle_protocol=protocol)
    torch.save(hostile, tmp_path / "old.pth", pickle_protocol=protocol, _use_new_zipfile_serialization=False)
    (tmp_path / "raw.pth").write_bytes(pickle.dumps({"a": Bomb(str(trace))}, protocol=protocol))
    torch.save({"a": torch.ones(1), "b": Shell(trace)}, tmp_path / "shell.pth", pickle_protocol=protocol)
    refused = 0
    for name in ("zip.pth", "old.pth", "raw.pth", "shell.pth"):
        with pytest.raises(CheckpointError, match=r"run code|not a readable"):
            checkpoints.read(tmp_path / name)
        refused += 1
    assert refused == 4 and not trace.exists()


def test_other_input_size(tiny_model, tmp_path, image, embedding):
    checkpoints.save(tiny_model.state_dict(), tmp_path / "w.pth")
    larger, report = checkpoints.load_with_report(tmp_path / "w.pth", img_size=384)
    assert larger.img_size == 384 and "384 px" in report.variant
    with torch.no_grad():
        assert larger.encode_images(torch.randn(1, 3, 384, 384)).shape == (1, 256, 24, 24)
        # The encoder adapts its tables as they come; baked in, they are the same.
        flexible = ultrasam.load_encoder(tmp_path / "w.pth")
        baked = ultrasam.load_encoder(tmp_path / "w.pth", img_size=384)
        wide = torch.randn(1, 3, 384, 384)
        assert_same(flexible(wide), baked(wide))
        assert_same(flexible(image), embedding)
        assert flexible(torch.randn(1, 3, 64, 160)).shape == (1, 256, 4, 10)


@torch.no_grad()
def test_encoder_outputs(tiny_model, tmp_path, image):
    checkpoints.save(tiny_model.state_dict(), tmp_path / "w.pth", "ultrasam")
    layers = ultrasam.load_encoder(tmp_path / "w.pth", output="layers", layers=(0, -1))
    maps = layers(image)
    assert [m.shape for m in maps] == [(1, 48, 16, 16)] * 2 and layers.channels == [48, 48]
    pooled = ultrasam.load_encoder(tmp_path / "w.pth", output="pooled")
    # A mean over cells is small beside what it is taken over.
    largest = float(maps[1].abs().max())
    assert_same(pooled(image), maps[1].mean(dim=(2, 3)), scale=largest)
    raw = ultrasam.load_encoder(tmp_path / "w.pth", normalize=True)
    picture = torch.randint(0, 255, (1, 3, 256, 256)).float()
    assert_same(raw(picture), tiny_model.image_encoder(tiny_model.preprocess(picture)))
    # The backbone of a published classifier: no neck, a head beside it.
    bare = {
        f"backbone.{k}": v for k, v in published_backbone(tiny_model, tmp_path).items() if "channel" not in k
    }
    torch.save({"state_dict": {**bare, "head.fc.weight": torch.zeros(3, 48)}}, tmp_path / "cls.pth")
    bare = ultrasam.load_encoder(tmp_path / "cls.pth", output="pooled")
    assert_same(bare(image), pooled(image), scale=largest)
    with pytest.raises(CheckpointError, match="neck"):
        ultrasam.load_encoder(tmp_path / "cls.pth")


def published_backbone(model, folder):
    checkpoints.save(model.state_dict(), folder / "b.pth", "mmpretrain")
    return torch.load(folder / "b.pth", weights_only=True)


def test_safetensors_say_how_to_feed_them(tiny_model, tmp_path):
    checkpoints.save(tiny_model.state_dict(), tmp_path / "w.safetensors", "safetensors")
    told = json.loads((tmp_path / "w.json").read_text())
    assert told["img_size"] == 256 and told["width"] == 48 and told["pixel_mean"][0] == 123.675


def test_half_precision_halves_the_file_and_loads_in_float32(tiny_model, tmp_path):
    whole, half = tmp_path / "whole.safetensors", tmp_path / "half.safetensors"
    checkpoints.save(tiny_model.state_dict(), whole, "safetensors")
    assert main(["weights", "convert", str(whole), str(half), "--to", "safetensors", "--half"]) == 0
    assert half.stat().st_size < 0.52 * whole.stat().st_size
    again = checkpoints.load(half)
    for name, value in tiny_model.state_dict().items():
        found = again.state_dict()[name]
        assert found.dtype == torch.float32 and torch.equal(found, value.half().float())
