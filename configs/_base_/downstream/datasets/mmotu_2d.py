"""MMOTU-2D (ovary) with its classes; the official validation list is the test."""

data_root = "data/mmotu_2d/"
data_prefix = dict(img="images/")
train_ann = "annotations/train.json"
val_ann = "annotations/val.json"
test_ann = "annotations/test.json"
classes = [
    "chocolate_cyst",
    "serous_cystadenoma",
    "teratoma",
    "theca_cell_tumor",
    "simple_cyst",
    "normal_ovary",
    "mucinous_cystadenoma",
    "high_grade_serous",
]
