"""US-43d without gastrointestinal; the files come from ``ultrasam data merge --exclude-organ gastrointestinal``."""

_base_ = ["../ultrasam/ultrasam_vit-b_us43d.py"]
train_dataloader = dict(dataset=dict(ann_file="annotations/train-no-gastrointestinal.json"))
val_dataloader = dict(dataset=dict(ann_file="annotations/val-no-gastrointestinal.json"))
test_dataloader = dict(dataset=dict(ann_file="annotations/val-no-gastrointestinal.json"))
