"""US-43d, joined by ``ultrasam data merge --root data --out data/us43d``; file names start from ``data``."""

data_root = "data/"
data_prefix = dict(img="")
train_ann = "us43d/train.json"
val_ann = "us43d/val.json"
