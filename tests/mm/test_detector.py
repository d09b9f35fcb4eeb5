"""The adapter: what goes in comes out, and ground truth stays as it was."""

import copy

import torch

from tests.kit.closeness import assert_same
from tests.kit.detector import batch, detector
from ultrasam.evaluate.metrics import rle_iou
from ultrasam.losses import MaskLoss
from ultrasam.mm.engine.optim import DecayMatrices, decays
from ultrasam.mm.evaluation.prompt_metric import as_rle
from ultrasam.prompts.refine import interact
from ultrasam.types import Prompts


def test_losses_are_those_of_the_plain_parts(phantom_data):
    model = detector().eval()
    ready = model.data_preprocessor(batch(phantom_data))
    losses = model(**ready, mode="loss")
    prompts = Prompts.of_images([sample.prompts for sample in ready["data_samples"]])
    targets = torch.cat([s.gt_instances.targets for s in ready["data_samples"]])
    embeddings = model.sam.encode_images(ready["inputs"])
    for number, prediction in enumerate(interact(model.sam, embeddings, prompts, model.train_refine)):
        for name, value in MaskLoss()(prediction, targets).items():
            assert_same(losses.pop(f"pass{number}.{name}"), value)
    assert not losses


@torch.no_grad()
def test_predicting_leaves_the_ground_truth_alone_and_equals_one_by_one(phantom_data):
    model = detector(test_refine={"passes": 1, "box_after_point": True}, postprocess="official").eval()
    together = batch(phantom_data, test_mode=True)
    before = copy.deepcopy([s.instances for s in together["data_samples"]])
    found = model.test_step(together)
    assert [s.instances for s in found] == before
    for index, sample in enumerate(found):
        single = batch(phantom_data, test_mode=True)
        one = model.test_step({key: value[index : index + 1] for key, value in single.items()})[0]
        assert_same(one.pred_instances.scores, sample.pred_instances.scores, scale=1)
        masks = sample.pred_instances.masks
        assert masks.dtype == torch.bool and masks.shape == (len(before[index]), *sample.ori_shape)
        assert (rle_iou(as_rle(one.pred_instances.masks), as_rle(masks)) > 0.99).all()
        for mask, box in zip(masks, sample.pred_instances.bboxes.tolist(), strict=True):
            rows, columns = mask.any(1).nonzero().flatten(), mask.any(0).nonzero().flatten()
            tight = [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1] if mask.any() else [0, 0, 0, 0]
            assert box == [float(side) for side in tight]


def test_weight_decay_is_for_matrices():
    model = detector()
    plain = {name for name, p in model.named_parameters() if not decays(name, p)}
    for name in ("sam.image_encoder.pos_embed", "sam.image_encoder.blocks.0.attn.rel_pos_h"):
        assert name in plain
    assert (
        "sam.mask_decoder.mask_tokens.weight" in plain and "sam.prompt_encoder.no_mask_embed.weight" in plain
    )
    assert "sam.image_encoder.patch_embed.proj.weight" not in plain
    wrapper = DecayMatrices(
        {"type": "OptimWrapper", "optimizer": {"type": "AdamW", "lr": 0.1, "weight_decay": 0.2}}
    )(model)
    groups = wrapper.optimizer.param_groups
    assert [g["weight_decay"] for g in groups] == [0.2, 0.0]
    assert sum(len(g["params"]) for g in groups) == len(list(model.parameters()))


def test_half_precision_losses_are_close(phantom_data):
    model = detector().eval()
    ready = model.data_preprocessor(batch(phantom_data))
    exact = model(**ready, mode="loss")
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = model(**ready, mode="loss")
    for name, value in exact.items():
        assert half[name].dtype == torch.float32
        assert torch.allclose(half[name], value, rtol=0.05, atol=0.02)
