"""Mask2Former on four maps of stride 16 as published, BUS-BRA; choose the start with --from."""

_base_ = ["../../../_base_/downstream/mask2former_paper.py", "../../../_base_/downstream/datasets/bus_bra.py"]
