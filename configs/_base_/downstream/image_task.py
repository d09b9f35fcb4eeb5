"""Classes or numbers of whole images: the mean of the output tokens and a linear layer, all of it trained.

The published settings of Meyer et al. 2025: 2,000 steps of 8 images, AdamW 1e-4, a tenth after 1,600, warm-up
over 500, flips, black padding. The last checkpoint counts.
"""

_base_ = ["../runtime.py"]

# Training asks for these weights, or others by --from; None starts from random weights without asking.
starts_from = "ultrasam"

img_size = 1024
task = "single-label"
model = dict(
    type="ImageTask",
    task=task,
    data_preprocessor=dict(type="PromptDataPreprocessor", img_size=img_size, black_padding=True),
    backbone=dict(type="UltraSamBackbone", variant="vit_b", img_size=img_size, weights=dict(path=None)),
)
# They stay with the data set: two bases of a leaf may not have a name in common.
del img_size, task

default_hooks = dict(visualization=dict(type="LabelPictureHook"))
custom_hooks = [*_base_.custom_hooks, dict(type="FitTargetsHook")]

optim_wrapper = dict(
    type="OptimWrapper",
    optimizer=dict(type="AdamW", lr=1e-4, weight_decay=1e-4),
    clip_grad=dict(max_norm=0.1),
)
train_cfg = dict(type="IterBasedTrainLoop", max_iters=2000, val_interval=500)
param_scheduler = [
    dict(type="LinearLR", start_factor=0.001, by_epoch=False, begin=0, end=500),
    dict(type="MultiStepLR", by_epoch=False, begin=0, end=2000, milestones=[1600], gamma=0.1),
]
auto_scale_lr = dict(base_batch_size=8, enable=False)
