"""Mask2Former on ResNet-50 from ImageNet, GIST514-DB."""

_base_ = [
    "../../../_base_/downstream/mask2former_resnet50.py",
    "../../../_base_/datasets/gist514_db_instances.py",
]

model = dict(num_classes=len(_base_.classes))
