"""Our encoder under Mask2Former as published: four maps of stride 16 in the place of a pyramid.

The outputs of blocks 2, 5, 8 and 11 are taken as they are, so that masks are predicted at stride 16. Test
images are padded to a multiple of 32 alone, as released.
"""

_base_ = ["mask2former.py"]

model = dict(
    data_preprocessor=dict(test_divisor=32),
    backbone=dict(layers=(2, 5, 8, 11)),
    panoptic_head=dict(in_channels=[768] * 4, pixel_decoder=dict(strides=[16] * 4)),
)
