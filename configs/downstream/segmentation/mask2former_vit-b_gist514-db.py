"""Mask2Former on the encoder's pyramid, GIST514-DB; choose the start with --from."""

_base_ = ["../../_base_/downstream/mask2former_pyramid.py", "../../_base_/downstream/datasets/gist514_db.py"]
