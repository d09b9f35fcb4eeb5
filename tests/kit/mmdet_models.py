"""MMDetection's own detectors, tiny: configurations as people have them, and checkpoints beside them."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope

import ultrasam.mm  # noqa: F401

NAMES = ("nodule", "gallstone")
#: Side of the detectors' input in pixels.
SIDE = 64

_PIPELINE = f"""
test_pipeline = [
    dict(type='LoadImageFromFile', backend_args=None),
    dict(type='Resize', scale=({SIDE}, {SIDE}), keep_ratio=True),
    dict(type='Pad', size=({SIDE}, {SIDE}), pad_val=dict(img=(114, 114, 114))),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='PackDetInputs', meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor')),
]
test_dataloader = dict(dataset=dict(type='CocoDataset', ann_file='absent.json', pipeline=test_pipeline))
default_scope = 'mmdet'
"""

_RTMDET = (
    """
model = dict(
    type='RTMDet',
    data_preprocessor=dict(type='DetDataPreprocessor', mean=[103.5, 116.3, 123.7], std=[57.4, 57.1, 58.4],
                           bgr_to_rgb=False),
    backbone=dict(type='CSPNeXt', arch='P5', deepen_factor=0.167, widen_factor=0.125,
                  norm_cfg=dict(type='SyncBN'), act_cfg=dict(type='SiLU', inplace=True)),
    neck=dict(type='CSPNeXtPAFPN', in_channels=[32, 64, 128], out_channels=32, num_csp_blocks=1,
              norm_cfg=dict(type='SyncBN'), act_cfg=dict(type='SiLU', inplace=True)),
    bbox_head=dict(type='RTMDetSepBNHead', num_classes=2, in_channels=32, feat_channels=32, stacked_convs=1,
                   anchor_generator=dict(type='MlvlPointGenerator', offset=0, strides=[8, 16, 32]),
                   bbox_coder=dict(type='DistancePointBBoxCoder'),
                   loss_cls=dict(type='QualityFocalLoss', use_sigmoid=True, beta=2.0, loss_weight=1.0),
                   loss_bbox=dict(type='GIoULoss', loss_weight=2.0), with_objectness=False, exp_on_reg=False,
                   norm_cfg=dict(type='SyncBN'), act_cfg=dict(type='SiLU', inplace=True)),
    test_cfg=dict(nms_pre=300, min_bbox_size=0, score_thr=0.001, nms=dict(type='nms', iou_threshold=0.65),
                  max_per_img=30))
"""
    + _PIPELINE
)

_MASK_RCNN = (
    """
model = dict(
    type='MaskRCNN',
    data_preprocessor=dict(type='DetDataPreprocessor', mean=[123.7, 116.3, 103.5], std=[58.4, 57.1, 57.4],
                           bgr_to_rgb=True, pad_size_divisor=32),
    backbone=dict(type='ResNet', depth=18, base_channels=8, stem_channels=8, norm_eval=True,
                  init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet18')),
    neck=dict(type='FPN', in_channels=[8, 16, 32, 64], out_channels=16, num_outs=5),
    rpn_head=dict(type='RPNHead', in_channels=16, feat_channels=16,
                  anchor_generator=dict(type='AnchorGenerator', scales=[4], ratios=[0.5, 1.0],
                                        strides=[4, 8, 16, 32, 64]),
                  bbox_coder=dict(type='DeltaXYWHBBoxCoder')),
    roi_head=dict(
        type='StandardRoIHead',
        bbox_roi_extractor=dict(type='SingleRoIExtractor',
                                roi_layer=dict(type='RoIAlign', output_size=7, sampling_ratio=0),
                                out_channels=16, featmap_strides=[4, 8, 16, 32]),
        bbox_head=dict(type='Shared2FCBBoxHead', in_channels=16, fc_out_channels=32, roi_feat_size=7,
                       num_classes=2, bbox_coder=dict(type='DeltaXYWHBBoxCoder')),
        mask_roi_extractor=dict(type='SingleRoIExtractor',
                                roi_layer=dict(type='RoIAlign', output_size=14, sampling_ratio=0),
                                out_channels=16, featmap_strides=[4, 8, 16, 32]),
        mask_head=dict(type='FCNMaskHead', num_convs=1, in_channels=16, conv_out_channels=16, num_classes=2)),
    train_cfg=None,
    test_cfg=dict(rpn=dict(nms_pre=100, max_per_img=40, nms=dict(type='nms', iou_threshold=0.7),
                           min_bbox_size=0),
                  rcnn=dict(score_thr=0.05, nms=dict(type='nms', iou_threshold=0.5), max_per_img=6,
                            mask_thr_binary=0.5)))
"""
    + _PIPELINE
)


def _written(folder: Path, name: str, text: str) -> tuple[Path, torch.nn.Module, Path]:
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / f"{name}.py"
    config.write_text(text)
    init_default_scope("mmdet")
    torch.manual_seed(3)
    return config, MODELS.build(Config.fromfile(config).model), folder / "epoch_1.pth"


def _saved(model: torch.nn.Module, path: Path, names: tuple[str, ...] | None) -> None:
    meta = {} if names is None else {"dataset_meta": {"classes": names}}
    torch.save({"meta": meta, "state_dict": model.state_dict()}, path)


def write_rtmdet(folder: Path, names: tuple[str, ...] | None = NAMES) -> tuple[Path, Path]:
    """Configuration and checkpoint of an RTMDet that finds the same in every image: `rtmdet_boxes`.

    Each of the four cells of its coarsest level says the second class with 0.9 and the first with 0.6, in
    boxes that reach half a cell to all sides; the finer levels are sure of nothing.
    """
    config, model, checkpoint = _written(folder, "rtmdet_tiny", _RTMDET)
    head = model.bbox_head
    for level, (cls, reg) in enumerate(zip(head.rtm_cls, head.rtm_reg, strict=True)):
        scores = [0.6, 0.9] if level == 2 else [1e-6, 1e-6]
        for layer, values in ((cls, [math.log(p / (1 - p)) for p in scores]), (reg, [0.5] * 4)):
            torch.nn.init.zeros_(layer.weight)
            layer.bias.data = torch.tensor(values)
    _saved(model, checkpoint, names)
    return config, checkpoint


def rtmdet_boxes(height: int, width: int) -> list[list[float]]:
    """The four boxes of `write_rtmdet` in pixels of an image, by hand."""
    scale = SIDE / max(height, width)
    seen = (round(width * scale), round(height * scale))
    boxes = []
    for y in (0, 32):
        for x in (0, 32):
            corners = (x - 16, y - 16, x + 16, y + 16)
            # Cut off at the input, which is padded.
            held = [min(max(v, 0), SIDE) for v in corners]
            # MMDetection's factors are those of whole sides.
            boxes.append([v / (seen[k % 2] / (width, height)[k % 2]) for k, v in enumerate(held)])
    return boxes


def write_mask_rcnn(folder: Path) -> tuple[Path, Path]:
    """Configuration and checkpoint of a Mask R-CNN with random weights."""
    config, model, checkpoint = _written(folder, "mask_rcnn_tiny", _MASK_RCNN)
    # Sure of something in each image.
    model.roi_head.bbox_head.fc_cls.weight.data *= 30
    _saved(model, checkpoint, NAMES)
    return config, checkpoint
