"""Loaders and scores of any COCO file; a data set's own file names its paths."""

train_dataloader = dict(
    batch_size=8,
    num_workers=6,
    persistent_workers=True,
    sampler=dict(type="PromptSampler", shuffle=True),
    dataset=dict(
        type="PromptDataset",
        img_size={{_base_.img_size}},
        flip=0.5,
        prompts={{_base_.prompts}},
        size_rule={{_base_.size_rule}},
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(
        type="PromptDataset",
        img_size={{_base_.img_size}},
        test_mode=True,
        prompts=dict(point_probability=1.0, released={{_base_.prompts.released}}),
        size_rule={{_base_.size_rule}},
    ),
)
test_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(
        type="PromptDataset",
        img_size={{_base_.img_size}},
        test_mode=True,
        prompts=dict(point_probability=1.0, released={{_base_.prompts.released}}),
        size_rule={{_base_.size_rule}},
    ),
)
val_evaluator = dict(type="PromptCocoMetric")
test_evaluator = dict(type="PromptCocoMetric")
