"""A number of each image or clip, age or ejection fraction, from your own tables; change the lines below.

A table is a CSV file with the columns ``file``, ``clip`` (whose frames are averaged) and your number's.
"""

_base_ = ["../../_base_/downstream/image_task.py"]

task = "regression"
classes = ["ejection_fraction"]
limits = (0, 100)
data_root = "data/mine/"
data_prefix = dict(img="images/")
train_ann = "train.csv"
val_ann = "val.csv"
test_ann = "test.csv"
img_size = 256

train_dataloader = dict(batch_size=32)
val_evaluator = dict(level="clip")
test_evaluator = dict(level="clip")
