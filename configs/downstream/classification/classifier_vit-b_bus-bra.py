"""Classes of BUS-BRA by the encoder and a linear layer; choose the start with --from."""

_base_ = ["../../_base_/downstream/image_task.py", "../../_base_/downstream/datasets/bus_bra.py"]
