"""MMOTU-2D (ovary); the official validation list is the test."""

made_by = "ultrasam convert mmotu_2d --raw DOWNLOAD --out data"
data_root = "data/mmotu_2d/"
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
