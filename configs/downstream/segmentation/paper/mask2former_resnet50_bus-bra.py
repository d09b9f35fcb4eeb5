"""Mask2Former on ResNet-50 from ImageNet, BUS-BRA."""

_base_ = [
    "../../../_base_/downstream/mask2former_resnet50.py",
    "../../../_base_/downstream/datasets/bus_bra.py",
]
