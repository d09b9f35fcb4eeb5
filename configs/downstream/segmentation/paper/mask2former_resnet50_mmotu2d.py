"""Mask2Former on ResNet-50 from ImageNet, MMOTU-2D."""

_base_ = [
    "../../../_base_/downstream/mask2former_resnet50.py",
    "../../../_base_/downstream/datasets/mmotu_2d.py",
]
