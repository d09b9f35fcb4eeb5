"""GIST514-DB (stomach): leiomyoma or stromal tumour; fold 0 is the test."""

data_root = "data/gist514_db/"
data_prefix = dict(img="images/")
train_ann = "annotations/train.json"
val_ann = "annotations/val.json"
test_ann = "annotations/test.json"
classes = ["lmym", "gist"]
