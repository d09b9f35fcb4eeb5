"""The same weights give the same numbers in segment-anything and here."""

import numpy as np
import pytest
import torch
from segment_anything import SamAutomaticMaskGenerator, SamPredictor

from tests.kit.peer import SMALL, pair
from ultrasam.modeling.build import VARIANTS
from ultrasam.types import Prompts


@pytest.fixture(scope="module")
def models():
    torch.manual_seed(0)
    return pair()


@pytest.fixture(scope="module")
def picture():
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:210, :300]
    blob = ((x - 150) ** 2 / 3600 + (y - 100) ** 2 / 1600 < 1)[..., None]
    return (rng.integers(60, 200, (210, 300, 3)) * np.where(blob, 0.3, 1.0)).astype(np.uint8)


@torch.no_grad()
def test_image_embedding(models):
    theirs, ours = models
    image = torch.randn(2, 3, SMALL.img_size, SMALL.img_size)
    expected, found = theirs.image_encoder(image), ours.image_encoder(image)
    assert expected.abs().max() > 2
    assert (expected - found).abs().max() <= 1e-5


PROMPTS = {
    "points": (torch.tensor([[[40.0, 50.0], [200.0, 100.0]], [[10.0, 300.0], [5.0, 5.0]]]), None, False),
    "boxes": (None, torch.tensor([[10.0, 20.0, 200.0, 180.0], [0.0, 0.0, 319.0, 319.0]]), False),
    "both": (
        torch.tensor([[[40.0, 50.0]], [[10.0, 300.0]]]),
        torch.tensor([[10.0, 20.0, 200.0, 180.0]] * 2),
        False,
    ),
    "masks": (torch.tensor([[[40.0, 50.0]], [[10.0, 300.0]]]), None, True),
    "mask alone": (None, None, True),
}


@pytest.mark.parametrize("multimask", [False, True])
@pytest.mark.parametrize("kind", PROMPTS)
@torch.no_grad()
def test_masks_and_iou(models, kind, multimask):
    theirs, ours = models
    points, boxes, with_mask = PROMPTS[kind]
    labels = None if points is None else torch.tensor([[1, 0], [0, 1]])[:, : points.shape[1]]
    masks = torch.randn(2, 1, 80, 80) if with_mask else None
    embedding = theirs.image_encoder(torch.randn(1, 3, SMALL.img_size, SMALL.img_size))
    sparse, dense = theirs.prompt_encoder(None if points is None else (points, labels), boxes, masks)
    expected = theirs.mask_decoder(embedding, theirs.prompt_encoder.get_dense_pe(), sparse, dense, multimask)
    prompts = Prompts(
        torch.zeros(2, dtype=torch.long),
        points=None if points is None else points + 0.5,
        labels=labels,
        boxes=None if boxes is None else boxes + 0.5,
        masks=masks,
    )
    found = ours.decode(embedding, prompts, multimask=multimask)
    assert (expected[0] - found.logits).abs().max() <= 1e-4
    assert (expected[1] - found.iou).abs().max() <= 1e-4
    assert torch.equal(ours.prompt_encoder.get_dense_pe(), theirs.prompt_encoder.get_dense_pe())


def test_their_predictor_runs_on_our_model(models, picture):
    answers = []
    for model in models:
        predictor = SamPredictor(model)
        predictor.set_image(picture)
        answers.append(
            [
                predictor.predict(np.array([[150, 100]]), np.array([1])),
                predictor.predict(box=np.array([80, 50, 220, 150])),
                predictor.predict(
                    np.array([[150, 100], [10, 10]]), np.array([1, 0]), box=np.array([80, 50, 220, 150])
                ),
            ]
        )
    for (masks, iou, low), (other_masks, other_iou, other_low) in zip(*answers, strict=True):
        assert np.abs(low - other_low).max() <= 1e-4 and np.abs(iou - other_iou).max() <= 1e-4
        assert masks.any() and not masks.all()
        assert np.array_equal(masks, other_masks)


def test_their_automatic_masks_run_on_our_model(models, picture):
    options = dict(points_per_side=6, pred_iou_thresh=-9.0, stability_score_thresh=0.0, box_nms_thresh=0.9)
    theirs, ours = (SamAutomaticMaskGenerator(model, **options).generate(picture) for model in models)
    assert len(theirs) == len(ours) > 0
    for a, b in zip(theirs, ours, strict=True):
        assert a["area"] == b["area"] and a["bbox"] == b["bbox"]
        assert np.array_equal(a["segmentation"], b["segmentation"])


@pytest.mark.slow
@torch.no_grad()
def test_full_vit_b_at_1024():
    theirs, ours = pair(VARIANTS["vit_b"])
    image = torch.randn(1, 3, 1024, 1024)
    torch.set_num_threads(2)
    expected, found = theirs.image_encoder(image), ours.image_encoder(image)
    assert (expected - found).abs().max() <= 1e-5
