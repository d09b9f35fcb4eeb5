"""The adapter: what goes in comes out, and ground truth stays as it was."""

import copy

import pytest
import torch

import ultrasam.mm  # noqa: F401
from tests.kit.miniature import SIZE, make_data
from ultrasam.evaluate.metrics import rle_iou
from ultrasam.losses import MaskLoss
from ultrasam.mm.datasets.prompt_dataset import PromptDataset
from ultrasam.mm.engine.optim import DecayMatrices, decays
from ultrasam.mm.evaluation.prompt_metric import as_rle
from ultrasam.mm.models.detector import UltraSam
from ultrasam.prompts.refine import interact
from ultrasam.types import Prompts


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return make_data(tmp_path_factory.mktemp("data"))


def detector(**kwargs):
    torch.manual_seed(0)
    return UltraSam(
        network={"variant": "vit_t", "img_size": SIZE},
        data_preprocessor={"type": "PromptDataPreprocessor", "img_size": SIZE},
        **kwargs,
    )


def batch(data, test_mode=False, num=3):
    used = PromptDataset(
        img_size=SIZE,
        data_root=f"{data}/",
        data_prefix={"img": "images/"},
        ann_file="annotations/train.agnostic.json",
        test_mode=test_mode,
    )
    samples = [used[i] for i in range(num)]
    return {"inputs": [s["inputs"] for s in samples], "data_samples": [s["data_samples"] for s in samples]}


def test_losses_are_those_of_the_plain_parts(data):
    model = detector().eval()
    ready = model.data_preprocessor(batch(data))
    losses = model(**ready, mode="loss")
    prompts = Prompts.of_images([sample.prompts for sample in ready["data_samples"]])
    targets = torch.cat([s.gt_instances.targets for s in ready["data_samples"]])
    embeddings = model.sam.encode_images(ready["inputs"])
    for number, prediction in enumerate(interact(model.sam, embeddings, prompts, model.train_refine)):
        for name, value in MaskLoss()(prediction, targets).items():
            assert torch.allclose(losses.pop(f"pass{number}.{name}"), value, rtol=1e-5)
    assert not losses


@torch.no_grad()
def test_predicting_leaves_the_ground_truth_alone_and_equals_one_by_one(data):
    model = detector(test_refine={"passes": 1, "box_after_point": True}, postprocess="official").eval()
    together = batch(data, test_mode=True)
    before = copy.deepcopy([s.instances for s in together["data_samples"]])
    found = model.test_step(together)
    assert [s.instances for s in found] == before
    for index, sample in enumerate(found):
        single = batch(data, test_mode=True)
        one = model.test_step({key: value[index : index + 1] for key, value in single.items()})[0]
        assert torch.allclose(one.pred_instances.scores, sample.pred_instances.scores, atol=1e-5)
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


def test_half_precision_losses_are_close(data):
    model = detector().eval()
    ready = model.data_preprocessor(batch(data))
    exact = model(**ready, mode="loss")
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = model(**ready, mode="loss")
    for name, value in exact.items():
        assert half[name].dtype == torch.float32
        assert torch.allclose(half[name], value, rtol=0.05, atol=0.02)
