"""US-43d, 43 data sets joined; file names start from ``data``."""

_base_ = ["prompts.py"]

made_by = (
    "ultrasam convert ID --raw DOWNLOAD --out data for each data set of 'ultrasam convert list', "
    "then ultrasam data merge --root data --out data/us43d"
)
data_root = "data/"
data_prefix = dict(img="")
train_ann = "us43d/train.json"
val_ann = "us43d/val.json"
test_ann = val_ann

train_dataloader = dict(dataset=dict(data_root=data_root, data_prefix=data_prefix, ann_file=train_ann))
val_dataloader = dict(dataset=dict(data_root=data_root, data_prefix=data_prefix, ann_file=val_ann))
test_dataloader = dict(dataset=dict(data_root=data_root, data_prefix=data_prefix, ann_file=test_ann))
