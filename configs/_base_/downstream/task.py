"""What the tasks on our encoder share. Sizes, paths and classes stand once, at the top; runs spread them."""

_base_ = ["../runtime.py"]

# With the data set's data_root, data_prefix, train_ann, val_ann, test_ann and classes, which stand at the top
# as well, given to the model and to every loader by 'ultrasam train'.
img_size = 1024

train_dataloader = dict(
    batch_size=8,
    num_workers=6,
    persistent_workers=True,
    sampler=dict(type="PromptSampler", shuffle=True),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(test_mode=True),
)
test_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(test_mode=True),
)
val_cfg = dict(type="ValLoop")
test_cfg = dict(type="TestLoop")
