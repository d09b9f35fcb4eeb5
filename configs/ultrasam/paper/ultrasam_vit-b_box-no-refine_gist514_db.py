"""Test with exact boxes, one pass, as released."""

_base_ = ["ultrasam_vit-b_box-refine_gist514_db.py"]
model = dict(test_refine=dict(passes=0))
