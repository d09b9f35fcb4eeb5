"""Simulated ultrasound, an object a prompt."""

_base_ = ["prompts.py", "phantom.py"]

train_dataloader = val_dataloader = test_dataloader = dict(dataset=dict(data_root=_base_.data_root))
