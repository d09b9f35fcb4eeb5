"""Test with exact boxes, one pass, as released."""

_base_ = ["ultrasam_vit-b_box-refine_bus_bra.py"]
model = dict(test_refine=dict(passes=0))
