"""Simulated ultrasound, its images by class."""

_base_ = ["labels.py", "phantom.py"]

train_dataloader = val_dataloader = test_dataloader = dict(
    dataset=dict(data_root=_base_.data_root, classes=_base_.classes)
)
