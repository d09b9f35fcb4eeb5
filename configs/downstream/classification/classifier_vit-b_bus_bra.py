"""Classes of BUS-BRA by the encoder and a linear layer; choose the start with --from."""

_base_ = ["../../_base_/downstream/image_task.py", "../../_base_/datasets/bus_bra_labels.py"]

model = dict(classes=_base_.classes)
