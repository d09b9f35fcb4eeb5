"""segment-anything's own network with the shapes of one of ours, and weights that hide nothing.

Segment Anything starts with position tables of zeros, so every parameter is redrawn.
"""

import copy
from functools import partial

import torch
from segment_anything.modeling import ImageEncoderViT, MaskDecoder, PromptEncoder, Sam, TwoWayTransformer

from ultrasam.modeling.build import Variant, build_variant

SMALL = Variant(embed_dim=48, depth=4, num_heads=3, global_attn_indexes=(1, 3), img_size=320, window_size=14)


def randomize(model):
    generator = torch.Generator().manual_seed(1)
    for name, p in model.named_parameters():
        noise = torch.randn(p.shape, generator=generator)
        if p.ndim == 1:
            p.data = (1.0 if name.endswith("weight") else 0.0) + 0.1 * noise
        elif "rel_pos" in name:
            p.data = 0.05 * noise
        elif "pos_embed" in name:
            p.data = 0.3 * noise
        elif ("embed" in name and "patch" not in name) or ("token" in name and "attn" not in name):
            p.data = noise
        else:
            p.data = noise / p[0].numel() ** 0.5
    return model


def build_peer(spec: Variant):
    grid = spec.img_size // spec.patch_size
    return Sam(
        image_encoder=ImageEncoderViT(
            depth=spec.depth,
            embed_dim=spec.embed_dim,
            img_size=spec.img_size,
            mlp_ratio=spec.mlp_ratio,
            norm_layer=partial(torch.nn.LayerNorm, eps=1e-6),
            num_heads=spec.num_heads,
            patch_size=spec.patch_size,
            qkv_bias=True,
            use_rel_pos=True,
            global_attn_indexes=spec.global_attn_indexes,
            window_size=spec.window_size,
            out_chans=spec.out_chans,
        ),
        prompt_encoder=PromptEncoder(
            embed_dim=spec.out_chans,
            image_embedding_size=(grid, grid),
            input_image_size=(spec.img_size, spec.img_size),
            mask_in_chans=16,
        ),
        mask_decoder=MaskDecoder(
            num_multimask_outputs=3,
            transformer=TwoWayTransformer(depth=2, embedding_dim=spec.out_chans, mlp_dim=2048, num_heads=8),
            transformer_dim=spec.out_chans,
            iou_head_depth=3,
            iou_head_hidden_dim=256,
        ),
        pixel_mean=[123.675, 116.28, 103.53],
        pixel_std=[58.395, 57.12, 57.375],
    ).eval()


def exact(theirs: Sam) -> Sam:
    """A peer in float64, the reference of both float32 networks; it takes float32 prompts."""
    twin = copy.deepcopy(theirs).double()
    # The two places where segment-anything asks for float32.
    encode = twin.prompt_encoder.pe_layer._pe_encoding
    twin.prompt_encoder.pe_layer._pe_encoding = lambda coords: encode(coords.double())
    embed = twin.prompt_encoder._embed_masks
    twin.prompt_encoder._embed_masks = lambda masks: embed(masks.double())
    return twin


def pair(spec: Variant = SMALL):
    """The same weights in segment-anything and here."""
    theirs = randomize(build_peer(spec))
    ours = build_variant(spec).eval()
    ours.load_state_dict(theirs.state_dict(), strict=True)
    return theirs, ours
