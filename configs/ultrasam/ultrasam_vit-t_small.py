"""The small model that comes with the package: simulated and openly licensed real ultrasound, from nothing.

``docs/small.md`` says how its data are put together and which command trained it. Differences from the large
model's recipe: views close to an object beside whole images, so that scale is no question any more; tone and
scanner degradations; two points and two boxes an object; a simulated user who corrects the mask.
"""

_base_ = ["../_base_/recipes/corrected.py", "../_base_/datasets/prompts.py"]

starts_from = None
img_size = 256
data_root = "data/small/"
made_by = "the commands in docs/small.md"
data_prefix = dict(img="")
train_ann = "train.json"
val_ann = "val.json"
test_ann = "test.json"
steps = 1800

model = dict(
    data_preprocessor=dict(img_size=img_size),
    network=dict(variant="vit_t", img_size=img_size),
    train_correct=dict(rounds=4, clicks=0.75),
    test_refine=dict(passes=0),
    # Trained on views close to an object, so to be used with them.
    usage=dict(closer=True),
)
train_dataloader = dict(
    batch_size=16,
    num_workers=1,
    dataset=dict(
        img_size=img_size,
        data_root=data_root,
        data_prefix=data_prefix,
        ann_file=train_ann,
        augment=[
            dict(type="Degrade", probability=0.3),
            dict(type="Tone"),
            dict(type="RandomView"),
        ],
        prompts=dict(per_object=2, box_noise=0.03),
    ),
)
val_dataloader = dict(
    dataset=dict(
        img_size=img_size,
        data_root=data_root,
        data_prefix=data_prefix,
        ann_file=val_ann,
        prompts=dict(point_probability=0.0),
    )
)
test_dataloader = dict(dataset=dict(val_dataloader["dataset"], ann_file=test_ann))

optim_wrapper = dict(optimizer=dict(lr=1e-3, betas=(0.9, 0.95), weight_decay=0.05))
train_cfg = dict(type="IterBasedTrainLoop", max_iters=steps, val_interval=450)
param_scheduler = [
    dict(type="LinearLR", start_factor=0.01, by_epoch=False, begin=0, end=100),
    dict(type="CosineAnnealingLR", by_epoch=False, begin=100, end=steps, eta_min_ratio=0.01),
]
custom_hooks = [*_base_.custom_hooks, dict(type="EMAHook", momentum=0.005, priority="NORMAL")]
default_hooks = dict(checkpoint=dict(interval=100), logger=dict(interval=20))
