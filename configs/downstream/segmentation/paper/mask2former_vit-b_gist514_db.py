"""Mask2Former on four maps of stride 16 as published, GIST514-DB; choose the start with --from."""

_base_ = [
    "../../../_base_/downstream/mask2former_paper.py",
    "../../../_base_/datasets/gist514_db_instances.py",
]

model = dict(num_classes=len(_base_.classes))
