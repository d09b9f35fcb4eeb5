"""UltraSam ViT-b on US-43d, the recipe as published and released: ``tools/dist_train.sh`` this 4."""

_base_ = [
    "../_base_/recipes/paper.py",
    "../_base_/schedules/30k.py",
    "../_base_/datasets/us43d.py",
]

train_dataloader = dict(
    dataset=dict(
        data_root={{_base_.data_root}},
        data_prefix={{_base_.data_prefix}},
        ann_file={{_base_.train_ann}},
    )
)
val_dataloader = dict(
    dataset=dict(
        data_root={{_base_.data_root}},
        data_prefix={{_base_.data_prefix}},
        ann_file={{_base_.val_ann}},
    )
)

test_dataloader = dict(
    dataset=dict(
        data_root={{_base_.data_root}},
        data_prefix={{_base_.data_prefix}},
        ann_file={{_base_.val_ann}},
    )
)
