"""Test with central points, two passes."""

_base_ = [
    "../_base_/recipes/corrected.py",
    "../_base_/schedules/30k.py",
    "../_base_/datasets/mmotu_2d_prompts.py",
]
