"""UltraSam ViT-b on US-43d, the recipe as published and released: ``tools/dist_train.sh`` this 4."""

_base_ = [
    "../../_base_/recipes/paper.py",
    "../../_base_/schedules/30k.py",
    "../../_base_/datasets/us43d_prompts.py",
]

train_dataloader = dict(batch_sampler=dict(type="AspectRatioBatchSampler"), dataset=_base_.released)
val_dataloader = test_dataloader = dict(dataset=_base_.released)
