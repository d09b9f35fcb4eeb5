"""30,000 steps: warm-up over 500, a tenth of the rate after 20,000 and after 28,888."""

train_cfg = dict(type="IterBasedTrainLoop", max_iters=30000, val_interval=5000)

param_scheduler = [
    dict(type="LinearLR", start_factor=0.001, by_epoch=False, begin=0, end=500),
    dict(type="MultiStepLR", by_epoch=False, begin=0, end=30000, milestones=[20000, 28888], gamma=0.1),
]
# 8 images on each of 4 GPUs; --auto-scale-lr adapts the rate to another number.
auto_scale_lr = dict(base_batch_size=32, enable=False)
