"""GIST514-DB, an object a prompt."""

_base_ = ["prompts.py", "gist514_db.py"]

train_dataloader = val_dataloader = test_dataloader = dict(dataset=dict(data_root=_base_.data_root))
