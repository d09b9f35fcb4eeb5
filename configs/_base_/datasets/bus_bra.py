"""BUS-BRA (breast), the patients of fold 1."""

data_root = "data/bus_bra/"
data_prefix = dict(img="images/")
test_ann = "annotations/test.agnostic.json"
