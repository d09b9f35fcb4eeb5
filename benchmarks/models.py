"""ViT-b here and in segment-anything with the same weights, and an image to prompt."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from ultrasam.machine.torchvision_compat import bridge_torchvision

bridge_torchvision()

import segment_anything  # noqa: E402
import segment_anything.modeling as peer  # noqa: E402

import ultrasam  # noqa: E402
from ultrasam.checkpoints.places import OWN_FILE  # noqa: E402
from ultrasam.modeling.build import VARIANTS, Variant, build_variant  # noqa: E402
from ultrasam.modeling.sam import Sam  # noqa: E402
from ultrasam.predict.predictor import Predictor  # noqa: E402

#: (H, W) of the picture that is segmented.
SIZE = (768, 1024)
#: For ``--quick``.
SMALL = Variant(embed_dim=48, depth=2, num_heads=3, global_attn_indexes=(1,), img_size=256)


def variant(quick: bool) -> Variant:
    """ViT-b at 1024 px, or something small."""
    return SMALL if quick else VARIANTS["vit_b"]


def randomize(model: nn.Module) -> None:
    """Weights that hide nothing: Segment Anything starts with position tables of zeros."""
    generator = torch.Generator().manual_seed(1)
    for name, p in model.named_parameters():
        noise = torch.randn(p.shape, generator=generator)
        if "rel_pos" in name or "pos_embed" in name:
            p.data = 0.1 * noise
        elif p.ndim == 1:
            p.data = (1.0 if name.endswith("weight") else 0.0) + 0.1 * noise


def ours(quick: bool = False) -> Sam:
    """Random weights, but the decoder of the package's own model, whose masks are what masks are like."""
    torch.manual_seed(0)
    model = build_variant(variant(quick)).eval()
    randomize(model.image_encoder)
    if OWN_FILE.is_file():
        own = ultrasam.load("small")
        model.mask_decoder.load_state_dict(own.mask_decoder.state_dict())
        model.prompt_encoder.load_state_dict(own.prompt_encoder.state_dict())
    return model


def theirs(model: Sam, quick: bool = False) -> peer.Sam:
    """segment-anything's network with the same weights."""
    if quick:
        other = _peer_of(SMALL)
    else:
        other = segment_anything.sam_model_registry["vit_b"]()
    other.load_state_dict(model.state_dict())
    return other.eval()


def peer_encoder(spec: Variant) -> peer.ImageEncoderViT:
    """segment-anything's image encoder of some shape, with weights of its own."""
    return peer.ImageEncoderViT(
        depth=spec.depth,
        embed_dim=spec.embed_dim,
        img_size=spec.img_size,
        norm_layer=partial(nn.LayerNorm, eps=1e-6),
        num_heads=spec.num_heads,
        use_rel_pos=True,
        global_attn_indexes=spec.global_attn_indexes,
        window_size=spec.window_size,
    ).eval()


def _peer_of(spec: Variant) -> peer.Sam:
    grid, size = spec.img_size // spec.patch_size, (spec.img_size, spec.img_size)
    transformer = peer.TwoWayTransformer(depth=2, embedding_dim=256, mlp_dim=2048, num_heads=8)
    return peer.Sam(
        peer_encoder(spec),
        peer.PromptEncoder(
            embed_dim=256, image_embedding_size=(grid, grid), input_image_size=size, mask_in_chans=16
        ),
        peer.MaskDecoder(transformer_dim=256, transformer=transformer),
    )


def embedding(model: Sam) -> Tensor:
    """An image embedding: a phantom's by the package's own model, or smooth noise."""
    grid = model.prompt_encoder.image_embedding_size
    if not OWN_FILE.is_file():
        return nn.functional.interpolate(torch.randn(1, 256, 6, 6), grid, mode="bicubic") * 2
    from ultrasam.phantom import simulate

    image = simulate(21, 0).image
    image = image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2)
    small = Predictor("small", device="cpu")
    small.set_image(np.ascontiguousarray(image))
    return nn.functional.interpolate(small.get_image_embedding(), grid, mode="bicubic")


def predictors(quick: bool = False) -> tuple[segment_anything.SamPredictor, Predictor]:
    """Both predictors with one image set: what is timed comes after the encoder."""
    model = ours(quick)
    first = segment_anything.SamPredictor(theirs(model, quick))
    second = Predictor(model, resampling="pillow")
    geometry = second.embedder.geometry(np.zeros((*SIZE, 3), np.uint8))
    first.features = embedding(model)
    first.original_size, first.input_size, first.is_image_set = SIZE, geometry.resized, True
    second.set_embeddings(first.features, [geometry])
    return first, second


def boxes(count: int) -> np.ndarray:
    """Boxes (N, 4) of 40 to 200 pixels a side."""
    rng = np.random.default_rng(0)
    corner = rng.uniform(0, (SIZE[1] - 220, SIZE[0] - 220), (count, 2))
    return np.concatenate([corner, corner + rng.uniform(40, 200, (count, 2))], axis=1)
