"""BUS-BRA (breast) with its classes; fold 1 is the test."""

data_root = "data/bus_bra/"
data_prefix = dict(img="images/")
train_ann = "annotations/train.json"
val_ann = "annotations/val.json"
test_ann = "annotations/test.json"
classes = ["breast_nodule_benign", "breast_nodule_malignant"]
