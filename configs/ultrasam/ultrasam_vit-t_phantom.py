"""A small UltraSam on simulated ultrasound, trained from nothing: minutes on a laptop's processor."""

_base_ = ["../_base_/recipes/corrected.py", "../_base_/datasets/phantom_prompts.py"]

starts_from = None
# Of the 256 pixels that phantoms have: a step costs half, and there is time for twice as many.
img_size = 192
model = dict(data_preprocessor=dict(img_size=img_size), network=dict(variant="vit_t", img_size=img_size))

train_dataloader = dict(
    batch_size=16, num_workers=1, dataset=dict(img_size=img_size, prompts=dict(per_object=2))
)
val_dataloader = test_dataloader = dict(dataset=dict(img_size=img_size))

optim_wrapper = dict(optimizer=dict(lr=1e-3, betas=(0.9, 0.95), weight_decay=0.01))
train_cfg = dict(type="IterBasedTrainLoop", max_iters=1000, val_interval=500)
param_scheduler = [
    dict(type="LinearLR", start_factor=0.01, by_epoch=False, begin=0, end=50),
    dict(type="CosineAnnealingLR", by_epoch=False, begin=50, end=1000, eta_min_ratio=0.01),
]
default_hooks = dict(checkpoint=dict(interval=250), logger=dict(interval=20))
