"""Classes of MMOTU-2D by ResNet-50 from ImageNet and a linear layer."""

_base_ = ["classifier_vit-b_mmotu_2d.py"]

model = dict(
    backbone=dict(_delete_=True, type="ResNetBackbone", depth=50, weights=dict(path="resnet50")),
)
