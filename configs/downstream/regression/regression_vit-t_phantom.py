"""The share of a simulated image that its objects cover, percent: minutes on a laptop's processor."""

_base_ = ["../classification/classifier_vit-t_phantom.py"]

task = "regression"
classes = ["object_share"]
limits = (0, 100)

model = dict(task=task, classes=classes)
train_dataloader = dict(dataset=dict(task=task, classes=classes, limits=limits))
val_dataloader = test_dataloader = train_dataloader
