"""Mask2Former on ResNet-50 from ImageNet, GIST514-DB."""

_base_ = [
    "../../../_base_/downstream/mask2former_resnet50.py",
    "../../../_base_/downstream/datasets/gist514_db.py",
]
