"""The kind of the largest object in simulated ultrasound: minutes on a laptop's processor."""

_base_ = ["../../_base_/downstream/image_task.py", "../../_base_/datasets/phantom_labels.py"]

starts_from = None
img_size = 128
model = dict(
    classes=_base_.classes,
    data_preprocessor=dict(img_size=img_size),
    backbone=dict(variant="vit_t", img_size=img_size),
)
train_dataloader = dict(batch_size=16, num_workers=1, dataset=dict(img_size=img_size))
val_dataloader = test_dataloader = train_dataloader
optim_wrapper = dict(optimizer=dict(lr=5e-4, weight_decay=0.01), clip_grad=dict(max_norm=1.0))
train_cfg = dict(max_iters=400, val_interval=200)
param_scheduler = [
    dict(type="LinearLR", start_factor=0.01, by_epoch=False, begin=0, end=40),
    dict(type="CosineAnnealingLR", by_epoch=False, begin=40, end=400, eta_min_ratio=0.01),
]
default_hooks = dict(checkpoint=dict(interval=200), logger=dict(interval=20))
