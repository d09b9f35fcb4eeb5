"""A small Mask2Former on the pyramid of a small encoder, simulated ultrasound: minutes on a laptop."""

_base_ = ["../../_base_/downstream/mask2former_pyramid.py", "../../_base_/datasets/phantom_instances.py"]

starts_from = None
img_size = 128
model = dict(
    num_classes=len(_base_.classes),
    data_preprocessor=dict(img_size=img_size),
    backbone=dict(variant="vit_t", img_size=img_size),
    neck=dict(width=192, channels=64),
    panoptic_head=dict(
        in_channels=[64] * 4,
        feat_channels=64,
        out_channels=64,
        num_queries=20,
        pixel_decoder=dict(
            norm_cfg=dict(num_groups=8),
            encoder=dict(
                num_layers=2,
                layer_cfg=dict(
                    self_attn_cfg=dict(embed_dims=64, num_heads=4),
                    ffn_cfg=dict(embed_dims=64, feedforward_channels=256),
                ),
            ),
            positional_encoding=dict(num_feats=32),
        ),
        positional_encoding=dict(num_feats=32),
        transformer_decoder=dict(
            num_layers=3,
            layer_cfg=dict(
                self_attn_cfg=dict(embed_dims=64, num_heads=4),
                cross_attn_cfg=dict(embed_dims=64, num_heads=4),
                ffn_cfg=dict(embed_dims=64, feedforward_channels=256),
            ),
        ),
    ),
    train_cfg=dict(num_points=1024),
    test_cfg=dict(max_per_image=20),
)
train_dataloader = dict(batch_size=8, num_workers=1, dataset=dict(img_size=img_size, jitter=(0.8, 1.25)))
val_dataloader = test_dataloader = dict(batch_size=8, num_workers=1, dataset=dict(img_size=img_size))
optim_wrapper = dict(
    optimizer=dict(lr=1e-3, weight_decay=0.01),
    paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.5))),
    clip_grad=dict(max_norm=1.0),
)
train_cfg = dict(max_iters=600, val_interval=300)
param_scheduler = [
    dict(type="LinearLR", start_factor=0.01, by_epoch=False, begin=0, end=40),
    dict(type="CosineAnnealingLR", by_epoch=False, begin=40, end=600, eta_min_ratio=0.01),
]
default_hooks = dict(checkpoint=dict(interval=300), logger=dict(interval=20))
