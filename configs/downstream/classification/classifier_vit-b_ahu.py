"""The 13 findings of the AHU heterogeneous database, scored by clip; choose the start with --from."""

_base_ = ["../../_base_/downstream/image_task.py", "../../_base_/datasets/labels.py"]

made_by = "ultrasam convert ahu --raw DOWNLOAD --out data"
# Frames of 224 pixels, enlarged.
img_size = 256
data_root = "data/ahu/"
data_prefix = dict(img="")
train_ann = "train.csv"
val_ann = "val.csv"
test_ann = val_ann
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

model = dict(
    task=task,
    classes=classes,
    data_preprocessor=dict(img_size=img_size),
    backbone=dict(img_size=img_size),
)
data = dict(task=task, classes=classes, data_root=data_root, data_prefix=data_prefix, img_size=img_size)
train_dataloader = dict(batch_size=64, dataset=dict(data, ann_file=train_ann))
val_dataloader = dict(batch_size=16, dataset=dict(data, ann_file=val_ann))
test_dataloader = dict(batch_size=16, dataset=dict(data, ann_file=test_ann))
val_evaluator = dict(level="clip")
test_evaluator = val_evaluator
