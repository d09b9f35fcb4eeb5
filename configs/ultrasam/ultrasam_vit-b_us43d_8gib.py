"""UltraSam ViT-b on US-43d, our recipe on one card of 8 GiB: 4 images eight times make the batch of 32.

As on a card of 24 GiB, with four times the steps for each of the 30,000 updates.
"""

_base_ = ["ultrasam_vit-b_us43d_24gib.py"]

train_dataloader = dict(batch_size=4)
optim_wrapper = dict(accumulative_counts=8)

train_cfg = dict(max_iters=240000, val_interval=40000)
param_scheduler = [
    dict(type="LinearLR", start_factor=0.001, by_epoch=False, begin=0, end=4000),
    dict(type="MultiStepLR", by_epoch=False, begin=0, end=240000, milestones=[160000, 231104], gamma=0.1),
]
default_hooks = dict(checkpoint=dict(interval=16000))
