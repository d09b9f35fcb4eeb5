"""Test with exact boxes, one pass."""

_base_ = [
    "../_base_/recipes/corrected.py",
    "../_base_/schedules/30k.py",
    "../_base_/datasets/mmotu_2d.py",
]
model = dict(test_refine=dict(passes=0))
test_dataloader = dict(
    dataset=dict(
        data_root={{_base_.data_root}},
        data_prefix={{_base_.data_prefix}},
        ann_file={{_base_.test_ann}},
        prompts=dict(point_probability=0.0),
    )
)
