"""US-43d without ovary; the files come from ``ultrasam data merge --exclude-organ ovary``."""

_base_ = ["../ultrasam/ultrasam_vit-b_us43d.py"]
train_dataloader = dict(dataset=dict(ann_file="annotations/train-no-ovary.json"))
val_dataloader = dict(dataset=dict(ann_file="annotations/val-no-ovary.json"))
test_dataloader = dict(dataset=dict(ann_file="annotations/val-no-ovary.json"))
