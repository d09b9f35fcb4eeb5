"""The published implementation's outputs, reproduced from formula-made weights."""

import numpy as np
import pytest
import torch
from pycocotools import mask as coco_mask

from tests.kit import published
from tests.kit.closeness import assert_same
from ultrasam import checkpoints
from ultrasam.data.boxes import tight_box, tight_boxes
from ultrasam.losses import MaskLoss
from ultrasam.modeling.build import build_variant
from ultrasam.preprocess import Geometry, to_input, to_masks
from ultrasam.prompts.refine import Refinement, interact
from ultrasam.prompts.released import ReleasedRules
from ultrasam.types import Prompts

pytestmark = pytest.mark.data


@pytest.fixture(scope="module")
def truth():
    published.require()
    return published.load()


@pytest.fixture(scope="module", params=["tiny", pytest.param("vitb", marks=pytest.mark.slow)])
def model(request, truth):
    return request.param, build(request.param)


def build(size):
    state, kind, folded = checkpoints.named_as_sam(published.published_state(size))
    assert kind == "ultrasam" and len(folded) == 4
    network = build_variant(checkpoints.detect(state)[0]).eval()
    checkpoints.load_into(network, state, kind, size)
    return network


def prompts_of(kind, index, stored):
    rows = torch.from_numpy(stored[f"prompt/{kind}/{index}"]).float()
    image_index = torch.zeros(3, dtype=torch.long)
    if kind == "point":
        return Prompts(image_index, points=rows, labels=torch.ones(3, 1, dtype=torch.long))
    return Prompts(image_index, boxes=rows.reshape(3, 4))


def cases(size):
    return [(i, kind) for i in ((0, 1, 2) if size == "tiny" else (0,)) for kind in ("point", "box")]


def test_every_name_of_the_checkpoint_is_mapped(truth):
    rows = [
        line.split("\t")
        for line in (published.SHARED / "ultrasam_checkpoint_keys.tsv").read_text().splitlines()[1:]
    ]
    assert len(rows) == 293
    state = published.published_state("vitb")
    renamed, _ = checkpoints.from_published(state, fold=False)
    assert len(renamed) == 314
    assert sum(v.numel() for v in renamed.values()) == sum(v.numel() for v in state.values()) == 93_735_728


def test_prompts(truth):
    stored, _ = truth
    for index in range(3):
        image = published.image(index)
        geometry = to_input(image, 1024, "truncate")[1]
        for row, mask in enumerate(published.masks(index)):
            point = ReleasedRules.central_point(mask, geometry)
            box = ReleasedRules.exact_box(tight_box(mask), geometry)
            # A few roundings of float32: a thousandth of a pixel.
            assert_same(point, stored[f"prompt/point/{index}"][row].ravel(), rounding=1e-6)
            assert_same(box, stored[f"prompt/box/{index}"][row].ravel(), rounding=1e-6)


@torch.no_grad()
def test_inference(model, truth):
    size, network = model
    stored, facts = truth
    for index, kind in cases(size):
        image, geometry = to_input(published.image(index), 1024, "truncate")
        assert np.array_equal(image[:, ::64, ::64].numpy(), stored[f"input/{index}"])
        embedding = network.encode_images(image[None])
        assert_same(embedding[0, ::16, ::8, ::8], stored[f"{size}/embed/{index}"])
        prompts = prompts_of(kind, index, stored)
        for multimask in (0, 1):
            found = network.decode(embedding, prompts, multimask=bool(multimask))
            name = f"{size}/{kind}/{index}/first_pass"
            assert_same(
                found.logits[:, :, ::16, ::16], stored[f"{name}_logits_mm{multimask}"], published.ROUNDING
            )
            assert_same(found.iou, stored[f"{name}_iou_mm{multimask}"], published.ROUNDING, scale=1)
        for passes in (0, 1):
            check_official(network, embedding, prompts, geometry, passes, truth, f"{size}/{kind}/{index}")


def check_official(network, embedding, prompts, geometry, passes, truth, name):
    stored, facts = truth
    scale = torch.tensor(geometry.scale * 2)

    def box_of(logits):
        masks = to_masks(logits, geometry, "official")[:, 0]
        return torch.from_numpy(tight_boxes(masks.numpy())).float() * scale

    refinement = Refinement(passes=passes, box_after_point=True)
    last = list(interact(network, embedding, prompts, refinement, box_of))[-1].best()
    name = f"{name}/refine{passes}"
    assert_same(last.logits[:, :, ::16, ::16], stored[f"{name}/logits"], published.ROUNDING)
    assert_same(last.iou[:, 0], stored[f"{name}/scores"], published.ROUNDING, scale=1)
    least, most = published.between(last.logits, geometry, "official")
    areas = (masks.sum((1, 2)).numpy() for masks in (least, most))
    assert np.all(np.diff([next(areas), stored[f"{name}/area"], next(areas)], axis=0) >= 0)
    inner, outer = (tight_boxes(masks.numpy()) * [-1, -1, 1, 1] for masks in (least, most))
    box = stored[f"{name}/bboxes"] * [-1, -1, 1, 1]
    assert (inner <= box).all() and (box <= outer).all()
    smooth = [m.sum((1, 2)).numpy() for m in published.between(last.logits, geometry, "logits")]
    assert np.all(np.diff([smooth[0], stored[f"{name}/area_logit_upsample"], smooth[1]], axis=0) >= 0)
    for row, counts in enumerate(facts.get(f"{name}/rle", [])):
        mask = coco_mask.decode({"size": list(geometry.original), "counts": counts.encode()}).astype(bool)
        assert mask[least[row]].all() and not mask[~most[row]].any()


def test_official_masks_of_known_logits(truth):
    """Ellipses whose logits are given by a formula: official areas, boxes and masks to the pixel."""
    checked = 0
    for name, fact in truth[1]["postprocess"].items():
        height, width = (int(n) for n in name.split("/")[0].split("x"))
        cx, cy, a, b = fact["ellipse_1024"]
        y, x = np.mgrid[:256, :256] * 4 + 2.0
        logits = torch.from_numpy(8 * (1 - ((x - cx) / a) ** 2 - ((y - cy) / b) ** 2)).float()[None, None]
        # These entries were made at the rounded size.
        geometry = Geometry.of(height, width, 1024, "round")
        mask = to_masks(logits, geometry, "official")[0]
        assert int(mask.sum()) == fact["official_area"]
        assert tight_boxes(mask.numpy())[0].tolist() == fact["official_bbox"]
        checked += 1
    assert checked >= 5


def test_losses_and_gradients(truth):
    """Two images as one batch, two passes, feedback not detached; section 8 of the reference."""
    stored, facts = truth
    network = build("tiny")
    images, targets, index, points, labels, boxes = [], [], [], [], [], []
    for i in (0, 1):
        image, geometry = to_input(published.image(i), 1024, "truncate")
        images.append(image)
        for row, (mask, kind) in enumerate(zip(published.masks(i), ("point", "box", "point"), strict=True)):
            targets.append(torch.from_numpy(ReleasedRules.mask_target(mask, geometry, 256)))
            index.append(i)
            points.append(stored[f"loss/points/{i}"][row])
            labels.append([1 if kind == "point" else -1])
            boxes.append(stored[f"loss/boxes/{i}"][row].ravel() if kind == "box" else np.full(4, np.nan))
    prompts = Prompts(
        torch.tensor(index),
        torch.from_numpy(np.stack(points)).float(),
        torch.tensor(labels),
        torch.from_numpy(np.stack(boxes)).float(),
    )
    embeddings = network.encode_images(torch.stack(images))
    total = 0.0
    for suffix, prediction in zip(
        ("", ".0"), interact(network, embeddings, prompts, Refinement()), strict=True
    ):
        for name, value in MaskLoss()(prediction, torch.stack(targets)).items():
            assert float(value.detach()) == pytest.approx(facts["tiny/loss"][name + suffix], rel=1e-4)
            total = total + value
    total.backward()
    assert float(total.detach()) == pytest.approx(11.940713, rel=1e-4)
    kernel = "output_hypernetworks_mlps.0.layers.0.weight"
    names = {
        "backbone.patch_embed.projection.weight": "image_encoder.patch_embed.proj.weight",
        f"bbox_head.{kernel}": f"mask_decoder.{kernel}",
        "prompt_encoder.mask_downscaling.0.weight": "prompt_encoder.mask_downscaling.0.weight",
    }
    own = dict(network.named_parameters())
    for theirs, ours in names.items():
        assert float(own[ours].grad.norm()) == pytest.approx(facts["tiny/grad_norm"][theirs], rel=1e-3)
