"""The baseline: ResNet-50 with ImageNet's weights and frozen batch norm."""

_base_ = ["mask2former.py"]

model = dict(
    data_preprocessor=dict(test_divisor=32),
    backbone=dict(
        _delete_=True,
        type="ResNetBackbone",
        depth=50,
        num_stages=4,
        out_indices=(0, 1, 2, 3),
        frozen_stages=-1,
        norm_cfg=dict(type="BN", requires_grad=False),
        norm_eval=True,
        style="pytorch",
        weights=dict(path="resnet50"),
    ),
    panoptic_head=dict(in_channels=[256, 512, 1024, 2048], pixel_decoder=dict(strides=[4, 8, 16, 32])),
)
