"""Test with exact boxes, two passes, as released."""

_base_ = ["ultrasam_vit-b_point-refine_gist514_db.py"]
test_dataloader = dict(dataset=dict(prompts=dict(point_probability=0.0)))
