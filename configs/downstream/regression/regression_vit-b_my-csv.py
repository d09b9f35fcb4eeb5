"""A number of each image or clip, age or ejection fraction, from your own tables; change the lines below.

A table is a CSV file with the columns ``file``, ``clip`` (whose frames are averaged) and your number's.
"""

_base_ = ["../../_base_/downstream/image_task.py", "../../_base_/datasets/labels.py"]

task = "regression"
classes = ["ejection_fraction"]
limits = (0, 100)
data_root = "data/mine/"
data_prefix = dict(img="images/")
train_ann = "train.csv"
val_ann = "val.csv"
test_ann = "test.csv"
img_size = 256

model = dict(
    task=task,
    classes=classes,
    data_preprocessor=dict(img_size=img_size),
    backbone=dict(img_size=img_size),
)
data = dict(
    task=task,
    classes=classes,
    limits=limits,
    data_root=data_root,
    data_prefix=data_prefix,
    img_size=img_size,
)
train_dataloader = dict(batch_size=32, dataset=dict(data, ann_file=train_ann))
val_dataloader = dict(dataset=dict(data, ann_file=val_ann))
test_dataloader = dict(dataset=dict(data, ann_file=test_ann))
val_evaluator = dict(level="clip")
test_evaluator = val_evaluator
