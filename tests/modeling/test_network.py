"""The network on its own: ragged batches, any size, gradients, refusals."""

import pytest
import torch

from tests.kit.closeness import assert_same
from tests.kit.models import TINY, tiny
from ultrasam.errors import ConfigError, PromptError, UltraSamError
from ultrasam.modeling.build import VARIANTS, build_ultrasam, build_variant
from ultrasam.modeling.image_encoder import ImageEncoderViT
from ultrasam.types import PADDING, Prompts

NAN = float("nan")


def ragged() -> Prompts:
    """Six objects on three images: points of several lengths, boxes, both, a mask, nothing."""
    points = torch.rand(6, 3, 2) * 256
    labels = torch.tensor(
        [[1, 0, 1], [1, PADDING, PADDING], [PADDING] * 3, [1, 0, PADDING], [PADDING] * 3, [0, 1, PADDING]]
    )
    box = [10.0, 20.0, 90.0, 100.0]
    none = [NAN] * 4
    return Prompts(
        torch.tensor([2, 0, 0, 1, 2, 1]),
        points,
        labels,
        torch.tensor([none, none, box, box, none, none]),
        torch.randn(6, 1, 64, 64),
        torch.tensor([False, False, False, True, True, False]),
    )


def alone(prompts: Prompts, row: int) -> Prompts:
    """One object with nothing but what it has: no padding, no other image."""
    one = prompts[slice(row, row + 1)]
    real = one.labels[0] != PADDING
    has_box = not one.boxes.isnan().any()
    return Prompts(
        torch.zeros(1, dtype=torch.long),
        one.points[:, real] if real.any() else None,
        one.labels[:, real] if real.any() else None,
        one.boxes if has_box else None,
        one.masks if one.has_mask[0] else None,
    )


@torch.no_grad()
@pytest.mark.parametrize("multimask", [False, True])
def test_batch_equals_singles(tiny_model, multimask):
    images, prompts = torch.randn(3, 3, 256, 256), ragged()
    together = tiny_model(images, prompts, multimask=multimask)
    for row in range(len(prompts)):
        index = int(prompts.image_index[row])
        single = tiny_model(images[index : index + 1], alone(prompts, row), multimask=multimask)
        assert_same(together.logits[row], single.logits[0])
        assert_same(together.iou[row], single.iou[0], scale=1)


@torch.no_grad()
def test_many_prompts_are_decoded_in_pieces(tiny_model, monkeypatch):
    embedding = tiny_model.encode_images(torch.randn(1, 3, 256, 256))
    boxes = torch.rand(45, 4) * 60
    boxes[:, 2:] += 60
    prompts = Prompts(torch.zeros(45, dtype=torch.long), boxes=boxes)
    pieces = tiny_model.decode(embedding, prompts, multimask=False)
    monkeypatch.setattr("ultrasam.modeling.kernels.many_prompts.PROMPTS_TOGETHER", {"cpu": 1000})
    assert_same(pieces.logits, tiny_model.decode(embedding, prompts, multimask=False).logits)


@torch.no_grad()
def test_no_prompts_at_all(tiny_model):
    embedding = tiny_model.encode_images(torch.randn(1, 3, 256, 256))
    found = tiny_model.decode(embedding, Prompts(torch.zeros(0, dtype=torch.long)), multimask=True)
    assert found.logits.shape == (0, 3, 64, 64) and found.iou.shape == (0, 3)


def test_gradients_with_and_without_checkpointing():
    grads = []
    for checkpointing in (False, True):
        torch.manual_seed(3)
        model = build_variant(TINY, checkpointing=checkpointing).train()
        out = model.encode_images(torch.ones(1, 3, 256, 256))
        out.square().mean().backward()
        grads.append([p.grad for p in model.image_encoder.parameters()])
    assert all(torch.isfinite(g).all() for g in grads[0])
    # A gradient may be nothing but rounding, as of what a softmax takes no notice of: all have one scale.
    largest = max(float(g.abs().max()) for g in grads[0])
    for plain, recomputed in zip(*grads, strict=True):
        assert_same(recomputed, plain, scale=largest)


def test_every_parameter_gets_a_gradient_in_two_passes():
    model = tiny().train()
    prompts = ragged()
    embedding = model.encode_images(torch.randn(3, 3, 256, 256))
    first = model.decode(embedding, prompts, multimask=False)
    second = model.decode(embedding, prompts.with_masks(first.logits), multimask=True)
    sum(p.logits.mean() + p.iou.mean() for p in (first, second)).backward()
    assert not [name for name, p in model.named_parameters() if p.grad is None]


@torch.no_grad()
def test_other_input_sizes(tiny_model):
    encoder = tiny_model.image_encoder
    assert encoder(torch.randn(1, 3, 192, 64)).shape == (1, 256, 12, 4)
    maps = encoder.intermediate(torch.randn(1, 3, 128, 128), layers=(0, 1))
    assert [m.shape for m in maps] == [(1, 48, 8, 8)] * 2


@pytest.mark.parametrize("name", VARIANTS)
def test_variants_have_the_published_numbers_of_parameters(name):
    with torch.device("meta"):
        model = build_ultrasam(name)
    millions = sum(p.numel() for p in model.parameters()) / 1e6
    # vit_b, vit_l, vit_h: segment-anything's own; vit_tiny: MobileSAM's 10.13 less its classifier's 0.32.
    own = {"vit_t": 8.4, "vit_s": 28.2, "vit_tiny": 9.81, "vit_tiny_fine": 9.79}
    expected = own | {"vit_b": 93.74, "vit_l": 312.34, "vit_h": 641.09}
    assert millions == pytest.approx(expected[name], rel=0.01)


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: build_ultrasam("vit_x"), ConfigError, "vit_x"),
        (lambda: build_ultrasam("vit_t", img_size=100), UltraSamError, "multiple"),
        (lambda: Prompts(torch.zeros(2, 1)), PromptError, "image_index"),
        (lambda: Prompts(torch.zeros(2), points=torch.zeros(2, 1, 2)), PromptError, "labels"),
        (lambda: Prompts(torch.zeros(2), boxes=torch.zeros(3, 4)), PromptError, "boxes"),
        (lambda: Prompts(torch.zeros(2), masks=torch.zeros(2, 32, 32)), PromptError, "masks"),
    ],
)
def test_refusals(make, error, words):
    with pytest.raises(error, match=words):
        make()


@torch.no_grad()
def test_refusals_of_a_call(tiny_model):
    model, embedding = tiny_model, torch.zeros(1, 256, 16, 16)
    box = torch.tensor([[1.0, 1.0, 9.0, 9.0]])
    with pytest.raises(PromptError, match="batch has 1"):
        model.decode(embedding, Prompts(torch.tensor([1]), boxes=box), multimask=False)
    bad = Prompts(torch.tensor([0]), masks=torch.zeros(1, 1, 16, 16))
    with pytest.raises(PromptError, match="mask prompts"):
        model.decode(embedding, bad, multimask=False)
    with pytest.raises(UltraSamError, match="multiples of 16"):
        model.encode_images(torch.zeros(1, 3, 100, 128))


def test_padding_slots_never_matter(tiny_model):
    """A point slot's coordinates are of no account where its label says that it is empty."""
    prompts = ragged()
    moved = prompts.points.clone()
    moved[prompts.labels == PADDING] = 77.0
    other = Prompts(
        prompts.image_index, moved, prompts.labels, prompts.boxes, prompts.masks, prompts.has_mask
    )
    embedding = torch.randn(3, 256, 16, 16)
    with torch.no_grad():
        a, b = (tiny_model.decode(embedding, p, multimask=True).logits for p in (prompts, other))
    assert torch.equal(a, b)


def test_pieces_on_a_cpu_are_the_whole(monkeypatch):
    """Inference handles some rows at a time; with a recorded graph everything is computed at once."""
    torch.manual_seed(0)
    encoder = ImageEncoderViT(
        img_size=320, embed_dim=32, depth=2, num_heads=2, out_chans=8, window_size=3, global_attn_indexes=[1]
    )
    for table in encoder.parameters():
        torch.nn.init.normal_(table, std=0.2)
    images = torch.randn(2, 3, 320, 256)
    whole = encoder(images)
    monkeypatch.setattr("ultrasam.modeling.kernels.parts.TOKENS_TOGETHER", 100)
    with torch.no_grad():
        pieces = encoder(images)
    assert_same(pieces, whole)
