"""Loaders as every data set has them, in the layout that ``ultrasam convert`` writes."""

img_size = 1024
data_prefix = dict(img="images/")
train_ann = "annotations/train.json"
val_ann = "annotations/val.json"
test_ann = "annotations/test.json"

train_dataloader = dict(
    batch_size=8,
    num_workers=6,
    sampler=dict(type="PromptSampler", shuffle=True),
    dataset=dict(img_size=img_size, data_prefix=data_prefix, ann_file=train_ann),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=2,
    drop_last=False,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(
        img_size=img_size,
        data_prefix=data_prefix,
        ann_file=val_ann,
        test_mode=True,
        # For MMDetection's inference tools, which look for it here; our data sets make their own.
        pipeline=[dict(type="LoadImageFromFile"), dict(type="PackImage")],
    ),
)
test_dataloader = dict(val_dataloader, dataset=dict(val_dataloader["dataset"], ann_file=test_ann))
