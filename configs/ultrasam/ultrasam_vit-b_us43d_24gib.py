"""UltraSam ViT-b on US-43d, our recipe on one card of 24 GiB: 16 images two times make the batch of 32.

bfloat16, and activations are computed twice instead of kept, which costs a third more time. The same 30,000
updates as on four large cards: two steps each.
"""

_base_ = ["ultrasam_vit-b_us43d.py"]

model = dict(network=dict(checkpointing=True))
train_dataloader = dict(batch_size=16, num_workers=4)
optim_wrapper = dict(type="Bfloat16OptimWrapper", accumulative_counts=2)

train_cfg = dict(max_iters=60000, val_interval=10000)
param_scheduler = [
    dict(type="LinearLR", start_factor=0.001, by_epoch=False, begin=0, end=1000),
    dict(type="MultiStepLR", by_epoch=False, begin=0, end=60000, milestones=[40000, 57776], gamma=0.1),
]
default_hooks = dict(checkpoint=dict(interval=4000))
