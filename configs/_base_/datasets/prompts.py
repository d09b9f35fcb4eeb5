"""A data set whose objects are prompted, of whatever class."""

_base_ = ["loaders.py"]

train_dataloader = dict(
    dataset=dict(
        type="PromptDataset",
        size_rule="round",
        flip=0.5,
        prompts=dict(released=False, point_probability=0.5, box_noise=0.05),
    )
)
val_dataloader = dict(
    dataset=dict(
        type="PromptDataset",
        size_rule="round",
        prompts=dict(released=False, point_probability=1.0),
        pipeline=[dict(type="LoadImageFromFile"), dict(type="AskForPrompts")],
    )
)
test_dataloader = val_dataloader

val_evaluator = dict(type="PromptCocoMetric")
test_evaluator = val_evaluator
