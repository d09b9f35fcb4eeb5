"""Mask2Former on ResNet-50 from ImageNet, MMOTU-2D."""

_base_ = [
    "../../../_base_/downstream/mask2former_resnet50.py",
    "../../../_base_/datasets/mmotu_2d_instances.py",
]

model = dict(num_classes=len(_base_.classes))
