"""Simulated ultrasound with its kinds of objects, made by ``ultrasam data phantom --out data``."""

data_root = "data/phantom/"
data_prefix = dict(img="images/")
train_ann = "annotations/train.json"
val_ann = "annotations/val.json"
test_ann = "annotations/test.json"
classes = ["cyst", "tumour", "nodule", "vessel", "chamber", "head"]
