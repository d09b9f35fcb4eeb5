"""US-43d without one organ."""

_base_ = ["../ultrasam/ultrasam_vit-b_us43d.py"]

made_by = (
    "ultrasam data merge --root data --out data/us43d-no-gastrointestinal --exclude-organ gastrointestinal"
)
train_ann = "us43d-no-gastrointestinal/train.json"
val_ann = "us43d-no-gastrointestinal/val.json"
test_ann = val_ann

train_dataloader = dict(dataset=dict(ann_file=train_ann))
val_dataloader = dict(dataset=dict(ann_file=val_ann))
test_dataloader = dict(dataset=dict(ann_file=test_ann))
