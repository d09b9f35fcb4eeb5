"""Mask2Former on the encoder's pyramid, MMOTU-2D; choose the start with --from."""

_base_ = ["../../_base_/downstream/mask2former_pyramid.py", "../../_base_/datasets/mmotu_2d_instances.py"]

model = dict(num_classes=len(_base_.classes))
