"""US-43d, all data sets joined by ``ultrasam data merge``; file names start from the folder of all data."""

data_root = "data/us43d/"
data_prefix = dict(img="")
train_ann = "annotations/train.json"
val_ann = "annotations/val.json"
