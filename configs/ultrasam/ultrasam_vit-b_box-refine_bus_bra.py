"""Test with exact boxes, two passes."""

_base_ = ["ultrasam_vit-b_point-refine_bus_bra.py"]
test_dataloader = dict(dataset=dict(prompts=dict(point_probability=0.0)))
