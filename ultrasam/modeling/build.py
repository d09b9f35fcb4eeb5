"""Named variants: the table below is all that differs between them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import nn

from ultrasam.errors import ConfigError
from ultrasam.modeling.adapt.adapter import add_adapters
from ultrasam.modeling.image_encoder import ImageEncoderViT
from ultrasam.modeling.mask_decoder import MaskDecoder
from ultrasam.modeling.old_fields import takes_old_names
from ultrasam.modeling.prompt_encoder import PromptEncoder
from ultrasam.modeling.sam import ImageEncoder, Sam
from ultrasam.modeling.tiny_vit import ImageEncoderTinyViT, TinyVariant
from ultrasam.modeling.transformer import TwoWayTransformer


@takes_old_names
@dataclass(frozen=True)
class Variant:
    """The numbers of a named model; ``img_size`` is the side of its square input in pixels."""

    embed_dim: int
    depth: int
    num_heads: int
    global_attn_indexes: tuple[int, ...]
    img_size: int = 1024
    window_size: int = 14
    patch_size: int = 16
    out_chans: int = 256
    mlp_ratio: float = 4.0
    #: Inner width of the adapters in every block, 0 for none.
    adapter: int = 0


VARIANTS: dict[str, Variant | TinyVariant] = {
    # A window of 8 divides the 16 x 16 grid of 256 pixels, so no token is spent on padding.
    "vit_t": Variant(
        embed_dim=192, depth=8, num_heads=3, global_attn_indexes=(1, 3, 5, 7), img_size=256, window_size=8
    ),
    # MobileSAM's (micro-sam calls it vit_t), and LiteMedSAM's, whose cells are a quarter as wide.
    "vit_tiny": TinyVariant(),
    "vit_tiny_fine": TinyVariant(img_size=256, patch_size=4),
    "vit_s": Variant(embed_dim=384, depth=12, num_heads=6, global_attn_indexes=(2, 5, 8, 11)),
    "vit_b": Variant(embed_dim=768, depth=12, num_heads=12, global_attn_indexes=(2, 5, 8, 11)),
    "vit_l": Variant(embed_dim=1024, depth=24, num_heads=16, global_attn_indexes=(5, 11, 17, 23)),
    "vit_h": Variant(embed_dim=1280, depth=32, num_heads=16, global_attn_indexes=(7, 15, 23, 31)),
}


def build_ultrasam(
    variant: str = "vit_b",
    *,
    img_size: int | None = None,
    decoder_dropout: float = 0.0,
    checkpointing: bool = False,
) -> Sam:
    """Build a model with random weights.

    Args:
        variant: one of `VARIANTS`; vit_b, vit_l and vit_h have the shapes of Meta's files.
        img_size: side of the square input in pixels, a multiple of 16; the variant's own where None.
        decoder_dropout: dropout in the decoder's MLPs (the published training used 0.1).
        checkpointing: recompute the encoder's activations in the backward pass to save memory.

    Raises:
        ConfigError: an unknown variant.
    """
    if variant not in VARIANTS:
        raise ConfigError(f"unknown model variant '{variant}'; choose from {', '.join(VARIANTS)}")
    return build_variant(
        VARIANTS[variant], img_size=img_size, decoder_dropout=decoder_dropout, checkpointing=checkpointing
    )


def build_variant(
    spec: Variant | TinyVariant,
    *,
    img_size: int | None = None,
    decoder_dropout: float = 0.0,
    checkpointing: bool = False,
) -> Sam:
    """Build a model from a table row of your own; arguments as in `build_ultrasam`."""
    size = img_size or spec.img_size
    grid = size // spec.patch_size
    encoder = _encoder(spec, size, checkpointing)
    return Sam(
        image_encoder=encoder,
        prompt_encoder=PromptEncoder(
            embed_dim=spec.out_chans, image_embedding_size=(grid, grid), input_image_size=(size, size)
        ),
        mask_decoder=MaskDecoder(
            transformer=TwoWayTransformer(embedding_dim=spec.out_chans, dropout=decoder_dropout),
            transformer_dim=spec.out_chans,
        ),
    )


def _encoder(spec: Variant | TinyVariant, size: int, checkpointing: bool) -> ImageEncoder:
    if isinstance(spec, TinyVariant):
        return ImageEncoderTinyViT(replace(spec, img_size=size), checkpointing)
    encoder = ImageEncoderViT(
        img_size=size,
        patch_size=spec.patch_size,
        embed_dim=spec.embed_dim,
        depth=spec.depth,
        num_heads=spec.num_heads,
        out_chans=spec.out_chans,
        window_size=spec.window_size,
        global_attn_indexes=spec.global_attn_indexes,
        mlp_ratio=spec.mlp_ratio,
        checkpointing=checkpointing,
    )
    _initialize(encoder)
    if spec.adapter:
        add_adapters(encoder, hidden=spec.adapter)
        encoder.requires_grad_(True)
    return encoder


def _initialize(encoder: ImageEncoderViT) -> None:
    """The usual ViT start (Dosovitskiy et al. 2021): truncated normal weights of deviation 0.02."""
    nn.init.trunc_normal_(encoder.pos_embed, std=0.02)
    for module in encoder.blocks.modules():
        if isinstance(module, nn.Linear):
            nn.init.trunc_normal_(module.weight, std=0.02)
            nn.init.zeros_(module.bias)
