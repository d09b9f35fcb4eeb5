"""Simulated ultrasound."""

made_by = "ultrasam data phantom --out data"
data_root = "data/phantom/"
classes = ["cyst", "tumour", "nodule", "vessel", "chamber", "head"]
