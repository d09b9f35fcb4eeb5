"""The promptable model; recipes, schedules and data sets say the rest."""

_base_ = ["runtime.py"]

img_size = 1024
# Training asks for these weights, or for --from-scratch; None starts from random weights without asking.
starts_from = "sam_vit_b"

model = dict(
    type="UltraSam",
    data_preprocessor=dict(type="PromptDataPreprocessor", img_size=img_size),
    network=dict(variant="vit_b", img_size=img_size),
    # Empty; MMDetection's init_detector looks for one.
    backbone=dict(),
    weights=dict(path=None),
)
# The size stays with the data set: two bases of a leaf may not have a name in common.
del img_size
