"""GIST514-DB (stomach), split 0."""

data_root = "data/gist514_db/"
data_prefix = dict(img="images/")
test_ann = "annotations/test.agnostic.json"
