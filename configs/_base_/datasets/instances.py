"""A data set whose objects are found and outlined by class."""

_base_ = ["loaders.py"]

train_dataloader = dict(dataset=dict(type="InstanceDataset", flip=0.5, jitter=(0.1, 2.0)))
val_dataloader = dict(dataset=dict(type="InstanceDataset"))
test_dataloader = val_dataloader

val_evaluator = dict(type="InstanceMetric")
test_evaluator = val_evaluator
