"""MMOTU-2D (ovary), the official validation list."""

data_root = "data/mmotu_2d/"
data_prefix = dict(img="images/")
test_ann = "annotations/test.agnostic.json"
