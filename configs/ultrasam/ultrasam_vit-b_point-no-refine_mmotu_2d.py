"""Test with central points, one pass."""

_base_ = ["ultrasam_vit-b_point-refine_mmotu_2d.py"]
model = dict(test_refine=dict(passes=0))
