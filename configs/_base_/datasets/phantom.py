"""Simulated ultrasound, made by ``ultrasam data phantom --out data``."""

data_root = "data/phantom/"
data_prefix = dict(img="images/")
train_ann = "annotations/train.agnostic.json"
val_ann = "annotations/val.agnostic.json"
test_ann = "annotations/test.agnostic.json"
