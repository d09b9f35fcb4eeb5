"""A data set whose whole images have classes or numbers."""

_base_ = ["loaders.py"]

# single-label, multi-label or regression; for regression 'classes' are the columns of the numbers.
task = "single-label"
# Where a label stands; None takes the classes of the objects, or the column 'labels'.
column = None
# Lowest and highest number that can be true.
limits = None

val_dataloader = dict(dataset=dict(type="LabelDataset", task=task, column=column, limits=limits))
test_dataloader = val_dataloader
train_dataloader = dict(dataset=dict(val_dataloader["dataset"], flip=0.5))

val_evaluator = dict(type="LabelMetric")
test_evaluator = val_evaluator
