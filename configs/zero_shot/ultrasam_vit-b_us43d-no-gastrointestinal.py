"""US-43d without one organ.

Its files are made by
``ultrasam data merge --root data --out data/us43d-no-gastrointestinal --exclude-organ gastrointestinal``.
"""

_base_ = ["../ultrasam/ultrasam_vit-b_us43d.py"]
train_dataloader = dict(dataset=dict(ann_file="us43d-no-gastrointestinal/train.json"))
val_dataloader = dict(dataset=dict(ann_file="us43d-no-gastrointestinal/val.json"))
test_dataloader = dict(dataset=dict(ann_file="us43d-no-gastrointestinal/val.json"))
