"""The small model's second stage: it starts from the first one's result, ``ultrasam_vit-t_small``.

New beside the first stage: objects redrawn as by other annotators, so that a box tells how far out the border
lies, and half as much box noise.
"""

_base_ = ["ultrasam_vit-t_small.py"]

load_from = "work_dirs/ultrasam_vit-t_small/iter_1800.pth"
steps = 2000

train_dataloader = dict(
    dataset=dict(
        augment=[
            dict(type="Degrade", probability=0.3),
            dict(type="Tone"),
            dict(type="Redraw"),
            dict(type="RandomView"),
        ],
        prompts=dict(box_noise=0.015),
    )
)
optim_wrapper = dict(optimizer=dict(lr=6e-4))
train_cfg = dict(max_iters=steps, val_interval=500)
param_scheduler = [
    dict(type="LinearLR", start_factor=0.01, by_epoch=False, begin=0, end=100),
    dict(type="CosineAnnealingLR", by_epoch=False, begin=100, end=steps, eta_min_ratio=0.01),
]
default_hooks = dict(checkpoint=dict(interval=250))
