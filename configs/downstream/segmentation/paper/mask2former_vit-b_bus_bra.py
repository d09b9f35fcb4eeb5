"""Mask2Former on four maps of stride 16 as published, BUS-BRA; choose the start with --from."""

_base_ = ["../../../_base_/downstream/mask2former_paper.py", "../../../_base_/datasets/bus_bra_instances.py"]

model = dict(num_classes=len(_base_.classes))
