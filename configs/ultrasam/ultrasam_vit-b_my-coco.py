"""Your own COCO files: change the lines below, or give them with ``--cfg-options``."""

_base_ = [
    "../_base_/recipes/corrected.py",
    "../_base_/schedules/30k.py",
    "../_base_/datasets/prompts.py",
]

data_root = "data/mine/"
data_prefix = dict(img="images/")
train_ann = "annotations/train.json"
val_ann = "annotations/val.json"
test_ann = val_ann

# An UltraSam or Segment Anything file to start from; the same as --from.
model = dict(weights=dict(path=None))

train_dataloader = dict(
    batch_size=2,
    num_workers=2,
    dataset=dict(data_root=data_root, data_prefix=data_prefix, ann_file=train_ann),
)
val_dataloader = dict(dataset=dict(data_root=data_root, data_prefix=data_prefix, ann_file=val_ann))
test_dataloader = dict(dataset=dict(data_root=data_root, data_prefix=data_prefix, ann_file=test_ann))
