"""Mask2Former on the encoder's pyramid, BUS-BRA; choose the start with --from."""

_base_ = ["../../_base_/downstream/mask2former_pyramid.py", "../../_base_/datasets/bus_bra_instances.py"]

model = dict(num_classes=len(_base_.classes))
