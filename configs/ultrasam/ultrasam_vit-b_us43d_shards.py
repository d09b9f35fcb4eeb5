"""UltraSam ViT-b on US-43d, our recipe, from shards: the samples of the COCO file (docs/scale.md)."""

_base_ = [
    "../_base_/recipes/corrected.py",
    "../_base_/schedules/30k.py",
    "../_base_/datasets/us43d_shards_prompts.py",
]
