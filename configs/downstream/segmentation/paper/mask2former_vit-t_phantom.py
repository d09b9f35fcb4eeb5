"""The published layout in small: four maps of stride 16 of a small encoder, simulated ultrasound."""

_base_ = ["../mask2former_vit-t_phantom.py"]

model = dict(
    data_preprocessor=dict(test_divisor=32),
    backbone=dict(layers=(1, 3, 5, 7)),
    neck=None,
    panoptic_head=dict(in_channels=[192] * 4, pixel_decoder=dict(strides=[16] * 4)),
)
