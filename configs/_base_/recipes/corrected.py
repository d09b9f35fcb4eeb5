"""Our recipe: the published one without its faults.

Differences from ``paper.py``: no dropout in the decoder (Segment Anything has none); the candidate with the
lowest loss is trained and the IoU of every candidate is regressed, so that their ranking means something; no
gradient through the fed-back logits; the same prompt in both passes, in training and in testing; prompts and
targets exact to the pixel; no weight decay on norms, biases and position tables; logits are enlarged before
they are cut at zero, so that masks are not dilated.
"""

_base_ = ["../ultrasam.py"]

model = dict(
    loss=dict(
        focal_weight=20.0,
        dice_weight=1.0,
        iou_weight=1.0,
        iou_loss="mse",
        select="loss",
        supervise_all_iou=True,
    ),
    train_refine=dict(passes=1, detach=True),
    test_refine=dict(passes=1),
    postprocess="logits",
)

optim_wrapper = dict(
    type="OptimWrapper",
    constructor="DecayMatrices",
    optimizer=dict(type="AdamW", lr=1e-4, weight_decay=1e-4, fused=True),
    clip_grad=dict(max_norm=1.0),
)
