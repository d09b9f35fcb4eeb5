"""The recipe as published and released, faults included (Meyer et al., IJCARS 2025).

The release squares the IoU error where the paper takes its absolute value: ``--cfg-options
model.loss.iou_loss=l1``. The doubled residual of the released decoder is a fact of its weights here: start
from Segment Anything with ``model.weights.fold_residual=True`` to train what the release trained.
"""

_base_ = ["../ultrasam.py"]

model = dict(
    network=dict(decoder_dropout=0.1),
    loss=dict(
        focal_weight=20.0,
        dice_weight=1.0,
        iou_weight=1.0,
        iou_loss="mse",
        select="iou",
        supervise_all_iou=False,
    ),
    train_refine=dict(passes=1, detach=False),
    test_refine=dict(passes=1, box_after_point=True),
    postprocess="official",
)
# For the leaf to give to its data sets.
released = dict(size_rule="truncate", prompts=dict(released=True))

optim_wrapper = dict(
    type="OptimWrapper",
    optimizer=dict(type="AdamW", lr=1e-4, weight_decay=1e-4),
    clip_grad=dict(max_norm=0.1),
)
