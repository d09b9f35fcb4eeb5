"""The 13 findings of the AHU heterogeneous database, scored by clip; choose the start with --from."""

_base_ = ["../../_base_/downstream/image_task.py"]

# Made by 'ultrasam convert ahu'; frames of 224 pixels, enlarged.
img_size = 256
data_root = "data/ahu/"
data_prefix = dict(img="")
train_ann = "train.csv"
val_ann = "val.csv"
test_ann = "val.csv"
task = "multi-label"
classes = [
    "Tumor",
    "Cyst",
    "Inflammation",
    "Stone",
    "Nodule",
    "Injury",
    "Calcification",
    "Occupancy",
    "Hernia",
    "Vascular",
    "Polyp",
    "Ectopic",
    "Anomalies",
]
train_dataloader = dict(batch_size=64)
val_dataloader = dict(batch_size=16)
test_dataloader = dict(batch_size=16)
val_evaluator = dict(level="clip")
test_evaluator = dict(level="clip")
