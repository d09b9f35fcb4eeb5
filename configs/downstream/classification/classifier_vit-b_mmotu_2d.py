"""Classes of MMOTU-2D by the encoder and a linear layer; choose the start with --from."""

_base_ = ["../../_base_/downstream/image_task.py", "../../_base_/datasets/mmotu_2d_labels.py"]

model = dict(classes=_base_.classes)
