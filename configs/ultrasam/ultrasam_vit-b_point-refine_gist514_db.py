"""Test with central points, two passes."""

_base_ = [
    "../_base_/recipes/corrected.py",
    "../_base_/schedules/30k.py",
    "../_base_/datasets/gist514_db_prompts.py",
]
