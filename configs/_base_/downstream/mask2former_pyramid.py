"""Our encoder under Mask2Former: strides 4 to 32, all made from the last map (ViTDet's simple pyramid)."""

_base_ = ["mask2former.py"]

model = dict(
    backbone=dict(layers=(-1,)),
    neck=dict(type="PyramidNeck", width=768, channels=256),
    panoptic_head=dict(in_channels=[256] * 4, pixel_decoder=dict(strides=[4, 8, 16, 32])),
)
