"""US-43d without breast; the files come from ``ultrasam data merge --exclude-organ breast``."""

_base_ = ["../ultrasam/ultrasam_vit-b_us43d.py"]
train_dataloader = dict(dataset=dict(ann_file="annotations/train-no-breast.json"))
val_dataloader = dict(dataset=dict(ann_file="annotations/val-no-breast.json"))
test_dataloader = dict(dataset=dict(ann_file="annotations/val-no-breast.json"))
