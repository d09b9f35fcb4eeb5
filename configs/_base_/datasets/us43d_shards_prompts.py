"""US-43d as shards: in a folder, or in object storage with ``--cfg-options data_root=s3://bucket/us43d_shards/``."""

_base_ = ["prompts.py"]

made_by = (
    "ultrasam data export data/us43d/train.json --images data --to webdataset --out data/us43d_shards/train, "
    "and the same for val"
)
data_root = "data/us43d_shards/"
data_prefix = dict(img="")
train_ann = "train"
val_ann = "val"
test_ann = val_ann

train_dataloader = dict(
    dataset=dict(
        type="ShardedPromptDataset", data_root=data_root, data_prefix=data_prefix, ann_file=train_ann
    )
)
val_dataloader = dict(
    dataset=dict(type="ShardedPromptDataset", data_root=data_root, data_prefix=data_prefix, ann_file=val_ann)
)
test_dataloader = dict(
    dataset=dict(type="ShardedPromptDataset", data_root=data_root, data_prefix=data_prefix, ann_file=test_ann)
)
