"""Portions and shared images against decoding all prompts at once."""

import pytest
import torch

from ultrasam.modeling.build import Variant, build_variant
from ultrasam.modeling.kernels import many_prompts, products
from ultrasam.types import PADDING, Prompts

TINY = Variant(embed_dim=24, depth=2, num_heads=2, global_attn_indexes=(1,), img_size=128, window_size=5)


@pytest.fixture
def model():
    made = build_variant(TINY).eval()
    for p in made.mask_decoder.parameters():
        if p.ndim == 1:
            torch.nn.init.normal_(p, std=0.3)
    return made


def asked(kind, n, images):
    index = torch.randint(0, images, (n,))
    boxes = torch.rand(n, 4) * 60
    boxes[:, 2:] += 60
    points, labels = torch.rand(n, 2, 2) * 128, torch.randint(0, 2, (n, 2))
    if kind == "boxes":
        return Prompts(index, boxes=boxes)
    boxes[::2], labels[1::3, 1] = float("nan"), PADDING
    masks = torch.randn(n, 1, 32, 32) if kind == "masks" else None
    return Prompts(index, points, labels, boxes, masks)


@torch.no_grad()
@pytest.mark.parametrize("onednn", [True, False])
@pytest.mark.parametrize("together", [1, 4, 1000])
@pytest.mark.parametrize("kind", ["boxes", "ragged", "masks"])
@pytest.mark.parametrize(("n", "images"), [(3, 1), (9, 1), (15, 3)])
def test_portions_are_the_whole(model, monkeypatch, onednn, together, kind, n, images):
    embeddings, prompts = torch.randn(images, 256, 8, 8), asked(kind, n, images)
    with products.forced(False):
        expected = model.decode_at_once(embeddings, model.prompt_encoder.get_dense_pe(), prompts, True)
    monkeypatch.setattr(many_prompts, "PROMPTS_TOGETHER", {"cpu": together})
    with products.forced(onednn):
        found = model.decode(embeddings, prompts, multimask=True)
    assert (found.logits - expected.logits).norm() <= 1e-5 * expected.logits.norm()
    assert (found.iou - expected.iou).norm() <= 1e-5 * expected.iou.norm()


@torch.no_grad()
def test_a_shared_image_is_the_transformer(model):
    transformer = model.mask_decoder.transformer
    embeddings, pe = torch.randn(2, 256, 8, 8), model.prompt_encoder.get_dense_pe()
    shared = many_prompts.SharedImage(model, embeddings, pe, Prompts(torch.tensor([1])))
    tokens, mask = torch.randn(5, 7, 256), torch.rand(5, 7) < 0.8
    mask[:, 0] = True
    none = model.prompt_encoder.no_mask_embed.weight[..., None, None]
    for token_mask in (None, mask):
        image = (embeddings[1:] + none).expand(5, -1, -1, -1)
        for a, b in zip(
            shared.transform(tokens, token_mask), transformer(image, pe, tokens, token_mask), strict=True
        ):
            assert a.shape == b.shape and (a - b).norm() <= 1e-5 * b.norm()


def test_when_an_image_is_shared(model, monkeypatch):
    made = []
    real = many_prompts.SharedImage
    monkeypatch.setattr(many_prompts, "SharedImage", lambda *args: made.append(1) or real(*args))

    def images_made(kind, n, images=1):
        made.clear()
        model.decode(torch.randn(images, 256, 8, 8), asked(kind, n, images), multimask=False)
        return len(made)

    assert images_made("boxes", 9) == 0, "not with gradients"
    with torch.no_grad():
        assert images_made("boxes", 9) == 1 and images_made("boxes", 60, images=2) == 2
        assert images_made("boxes", 3) == 0 and images_made("masks", 9) == 0
