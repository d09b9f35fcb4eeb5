"""Test with exact boxes, one pass, as released."""

_base_ = ["ultrasam_vit-b_box-refine_mmotu_2d.py"]
model = dict(test_refine=dict(passes=0))
