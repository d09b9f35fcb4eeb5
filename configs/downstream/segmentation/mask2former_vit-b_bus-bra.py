"""Mask2Former on the encoder's pyramid, BUS-BRA; choose the start with --from."""

_base_ = ["../../_base_/downstream/mask2former_pyramid.py", "../../_base_/downstream/datasets/bus_bra.py"]
