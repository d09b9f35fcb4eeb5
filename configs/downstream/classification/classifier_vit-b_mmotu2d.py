"""Classes of MMOTU-2D by the encoder and a linear layer; choose the start with --from."""

_base_ = ["../../_base_/downstream/image_task.py", "../../_base_/downstream/datasets/mmotu_2d.py"]
