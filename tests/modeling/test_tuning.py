"""Parameter-efficient parts: nothing changes at first, merging changes nothing, little is trained."""

import copy

import pytest
import torch
from torch.nn import functional as F

import ultrasam
from tests.kit.closeness import assert_same
from tests.kit.models import tiny
from ultrasam import checkpoints
from ultrasam.errors import CheckpointError, ConfigError
from ultrasam.modeling.adapt.lora import merge_lora
from ultrasam.modeling.adapt.tuning import adapt, trained_parameters
from ultrasam.modeling.build import build_ultrasam

CASES = [{"type": "lora"}, {"type": "lora", "parts": "qkv", "rank": 4, "alpha": 9}, {"type": "adapter"}]


def images():
    return torch.randn(2, 3, 256, 256, generator=torch.Generator().manual_seed(0))


def trained(case):
    """A model whose new parts are no longer zero."""
    model = tiny()
    adapt(model.image_encoder, **case)
    with torch.no_grad():
        for p in model.image_encoder.parameters():
            if p.requires_grad:
                p.add_(torch.randn_like(p) * 0.1)
    return model.eval()


@pytest.mark.parametrize("case", CASES)
def test_the_start_is_the_encoder_itself(case):
    model = tiny()
    # Without gradients, since the attention's fastest exact variant depends on them.
    with torch.no_grad():
        before = model.encode_images(images())
        adapt(model.image_encoder, **case)
        # Bit by bit on most processors; with AVX2 the order of sums follows from where tensors lie.
        assert_same(model.encode_images(images()), before)
    model.train()
    loss = model.encode_images(images()).square().sum()
    loss.backward()
    new = {n for n, p in model.image_encoder.named_parameters() if p.grad is not None}
    assert new and all("lora_" in n or "_adapter." in n for n in new)
    assert {n for n, p in model.image_encoder.named_parameters() if p.requires_grad} == new


@pytest.mark.parametrize(
    ("case", "count"),
    [
        ({"type": "lora"}, 589_824),
        ({"type": "lora", "parts": "qkv"}, 589_824),
        ({"type": "adapter"}, 7_100_928),
    ],
)
def test_counts_are_the_published_ones(case, count):
    """Counted on the published configurations' models, ViT-b."""
    with torch.device("meta"):
        model = build_ultrasam("vit_b")
        adapt(model.image_encoder, **case)
    model.prompt_encoder.requires_grad_(False)
    model.mask_decoder.requires_grad_(False)
    assert sum(p.numel() for p in model.parameters() if p.requires_grad) == count
    assert trained_parameters(model).startswith(f"{count:,} of ")


@pytest.mark.parametrize("parts", ["qv", "qkv"])
def test_the_update_is_what_the_paper_says(parts):
    model = trained({"type": "lora", "rank": 4, "alpha": 6, "dropout": 0.0, "parts": parts})
    layer = model.image_encoder.blocks[0].attn.qkv
    x = torch.randn(5, 48)
    plain = F.linear(x, layer.weight, layer.bias)
    update = [(u @ (d @ x.T)).T * 6 / 4 for d, u in zip(layer.lora_down, layer.lora_up, strict=True)]
    if parts == "qv":
        update = [update[0], torch.zeros(5, 48), update[1]]
    assert_same(layer(x), plain + torch.cat(update, dim=1))


@torch.no_grad()
@pytest.mark.parametrize("case", CASES[:2])
def test_merged_equals_unmerged(case, tmp_path):
    model = trained(case)
    expected = model.encode_images(images())
    torch.save({"state_dict": {f"sam.{k}": v for k, v in model.state_dict().items()}}, tmp_path / "run.pth")
    # From the training checkpoint, which knows the scale by itself, ...
    loaded, report = checkpoints.load_with_report(tmp_path / "run.pth")
    assert not report.missing and not report.unexpected
    assert_same(loaded.encode_images(images()), expected)
    encoder = ultrasam.load_encoder(tmp_path / "run.pth")
    assert_same(encoder(images()), expected)
    # ... in place, and written in a foreign format.
    merged = copy.deepcopy(model)
    assert merge_lora(merged.image_encoder) == 2 and merge_lora(merged.image_encoder) == 0
    assert merged.state_dict().keys() == tiny().state_dict().keys()
    assert_same(merged.encode_images(images()), expected)
    checkpoints.save(model.state_dict(), tmp_path / "hf", "transformers")
    again = ultrasam.load(tmp_path / "hf")
    assert_same(again.encode_images(images()), expected)


def assert_same_weights(found, expected):
    """The same names, and every number to the bit."""
    ours, theirs = found.state_dict(), expected.state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


@torch.no_grad()
def test_adapters_stay_in_our_files_and_are_refused_elsewhere(tmp_path):
    model = trained({"type": "adapter", "hidden": 8})
    expected = model.encode_images(images())
    torch.save(model.state_dict(), tmp_path / "w.pth")
    loaded, report = checkpoints.load_with_report(tmp_path / "w.pth")
    assert "adapters of width 8" in report.variant
    assert_same_weights(loaded, model)
    assert_same(loaded.encode_images(images()), expected)
    assert_same(ultrasam.load_encoder(tmp_path / "w.pth")(images()), expected)
    for to, name in (("mmdet", "d.pth"), ("safetensors", "s.safetensors")):
        checkpoints.convert(tmp_path / "w.pth", tmp_path / name, to)
        again = ultrasam.load(tmp_path / name)
        assert_same_weights(again, model)
        assert_same(again.encode_images(images()), expected)
    for to in ("sam", "ultrasam", "transformers", "timm", "mmpretrain"):
        with pytest.raises(CheckpointError, match="adapters of width 8.*mmdet or safetensors"):
            checkpoints.convert(tmp_path / "w.pth", tmp_path / "x", to)


def test_adapter_formula():
    model = trained({"type": "adapter", "hidden": 8})
    block = model.image_encoder.blocks[0]
    x = torch.randn(1, 4, 4, 48)
    a = block.attn(block.norm1(x))
    x1 = x + a + block.attn_adapter.up(F.gelu(block.attn_adapter.down(a)))
    n = block.norm2(x1)
    expected = x1 + block.mlp(n) + 0.5 * block.mlp_adapter.up(F.gelu(block.mlp_adapter.down(n)))
    assert_same(block(x), expected)


def test_refusals():
    encoder = tiny().image_encoder
    for case, words in (
        ({"type": "prefix"}, "lora or adapter"),
        ({"type": "lora", "ranks": 4}, "ranks"),
        ({"type": "lora", "rank": 0}, "between 1 and 48"),
        ({"type": "lora", "parts": "k"}, "'qv' or 'qkv'"),
        ({"type": "adapter", "hidden": 0}, "positive"),
    ):
        with pytest.raises(ConfigError, match=words):
            adapt(encoder, **case)
    adapt(encoder, type="lora")
    with pytest.raises(ConfigError, match="merge it first"):
        adapt(encoder, type="lora")
    other = tiny().image_encoder
    adapt(other, type="adapter")
    with pytest.raises(ConfigError, match="adapters already"):
        adapt(other, type="adapter")


def test_what_holds_an_encoder_can_be_adapted(tiny_weights):
    held = ultrasam.load_encoder(tiny_weights)
    adapt(held, "lora", rank=2)
    trained = [name for name, p in held.named_parameters() if p.requires_grad]
    assert trained and all("lora" in name for name in trained)
    with pytest.raises(ConfigError, match="Linear holds no image encoder"):
        adapt(torch.nn.Linear(2, 2), "lora")
