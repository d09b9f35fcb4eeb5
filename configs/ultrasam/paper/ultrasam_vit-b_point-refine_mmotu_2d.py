"""Test with central points, two passes, as released."""

_base_ = [
    "../../_base_/recipes/paper.py",
    "../../_base_/schedules/30k.py",
    "../../_base_/datasets/mmotu_2d_prompts.py",
]

train_dataloader = dict(batch_sampler=dict(type="AspectRatioBatchSampler"), dataset=_base_.released)
val_dataloader = test_dataloader = dict(dataset=_base_.released)
