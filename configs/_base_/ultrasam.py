"""The model and its loaders; recipes, schedules and data sets say the rest."""

_base_ = ["runtime.py"]

img_size = 1024
# Training asks for these weights, or for --from-scratch; None starts from random weights without asking.
starts_from = "sam_vit_b"

model = dict(
    type="UltraSam",
    data_preprocessor=dict(type="PromptDataPreprocessor", img_size=img_size),
    network=dict(variant="vit_b", img_size=img_size),
    weights=dict(path=None),
)

train_dataloader = dict(
    batch_size=8,
    num_workers=6,
    persistent_workers=True,
    sampler=dict(type="PromptSampler", shuffle=True),
    dataset=dict(
        type="PromptDataset",
        img_size=img_size,
        flip=0.5,
        prompts=dict(point_probability=0.5, box_noise=0.05),
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(
        type="PromptDataset", img_size=img_size, test_mode=True, prompts=dict(point_probability=1.0)
    ),
)
test_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(
        type="PromptDataset", img_size=img_size, test_mode=True, prompts=dict(point_probability=1.0)
    ),
)
val_evaluator = dict(type="PromptCocoMetric")
test_evaluator = dict(type="PromptCocoMetric")
