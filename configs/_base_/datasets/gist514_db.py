"""GIST514-DB (stomach), leiomyoma or stromal tumor; fold 0 is the test."""

made_by = "ultrasam convert gist514_db --raw DOWNLOAD --out data"
data_root = "data/gist514_db/"
classes = ["lmym", "gist"]
