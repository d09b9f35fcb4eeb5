"""Classes of GIST514-DB by the encoder and a linear layer; choose the start with --from."""

_base_ = ["../../_base_/downstream/image_task.py", "../../_base_/datasets/gist514_db_labels.py"]

model = dict(classes=_base_.classes)
