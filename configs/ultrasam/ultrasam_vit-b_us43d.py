"""UltraSam ViT-b on US-43d, our recipe: ``tools/dist_train.sh`` this 4."""

_base_ = [
    "../_base_/recipes/corrected.py",
    "../_base_/schedules/30k.py",
    "../_base_/datasets/us43d_prompts.py",
]
