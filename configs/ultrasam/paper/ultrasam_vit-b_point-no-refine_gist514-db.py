"""Test with central points, one pass, as released."""

_base_ = ["ultrasam_vit-b_point-refine_gist514-db.py"]
model = dict(test_refine=dict(passes=0))
