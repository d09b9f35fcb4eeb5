"""BUS-BRA (breast); fold 1 is the test."""

made_by = "ultrasam convert bus_bra --raw DOWNLOAD --out data"
data_root = "data/bus_bra/"
classes = ["breast_nodule_benign", "breast_nodule_malignant"]
