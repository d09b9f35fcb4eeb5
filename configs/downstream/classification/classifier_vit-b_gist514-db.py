"""Classes of GIST514-DB by the encoder and a linear layer; choose the start with --from."""

_base_ = ["../../_base_/downstream/image_task.py", "../../_base_/downstream/datasets/gist514_db.py"]
