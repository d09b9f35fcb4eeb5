"""The same weights give the same numbers in segment-anything and here."""

import numpy as np
import pytest
import torch
from segment_anything import SamAutomaticMaskGenerator, SamPredictor

from tests.kit.closeness import assert_as_exact, assert_same, assert_same_masks, assert_same_objects
from tests.kit.peer import SMALL, exact, pair
from tests.kit.pictures import waves
from ultrasam.modeling.build import VARIANTS
from ultrasam.types import Prompts


@pytest.fixture(scope="module")
def models():
    """segment-anything's in float32 and in float64, and ours."""
    torch.manual_seed(0)
    theirs, ours = pair()
    return theirs, exact(theirs), ours


@torch.no_grad()
def test_image_embedding(models):
    theirs, truth, ours = models
    image = torch.randn(2, 3, SMALL.img_size, SMALL.img_size)
    expected = theirs.image_encoder(image)
    assert expected.abs().max() > 2
    assert_as_exact(ours.image_encoder(image), expected, truth.image_encoder(image.double()))


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
    theirs, truth, ours = models
    points, boxes, with_mask = PROMPTS[kind]
    labels = None if points is None else torch.tensor([[1, 0], [0, 1]])[:, : points.shape[1]]
    masks = torch.randn(2, 1, 80, 80) if with_mask else None
    embedding = theirs.image_encoder(torch.randn(1, 3, SMALL.img_size, SMALL.img_size))
    answers = []
    for model in (theirs, truth):
        sparse, dense = model.prompt_encoder(None if points is None else (points, labels), boxes, masks)
        pe = model.prompt_encoder.get_dense_pe()
        answers.append(model.mask_decoder(embedding.to(pe.dtype), pe, sparse.to(pe.dtype), dense, multimask))
    prompts = Prompts(
        torch.zeros(2, dtype=torch.long),
        points=None if points is None else points + 0.5,
        labels=labels,
        boxes=None if boxes is None else boxes + 0.5,
        masks=masks,
    )
    found = ours.decode(embedding, prompts, multimask=multimask)
    assert_as_exact(found.logits, answers[0][0], answers[1][0])
    assert_as_exact(found.iou, answers[0][1], answers[1][1])
    assert torch.equal(ours.prompt_encoder.get_dense_pe(), theirs.prompt_encoder.get_dense_pe())


def test_their_predictor_runs_on_our_model(models):
    asked = [
        dict(point_coords=np.array([[150, 100]]), point_labels=np.array([1])),
        dict(box=np.array([80, 50, 220, 150])),
        dict(
            point_coords=np.array([[150, 100], [10, 10]]),
            point_labels=np.array([1, 0]),
            box=np.array([80, 50, 220, 150]),
        ),
    ]
    predictors = [SamPredictor(model) for model in models]
    for predictor in predictors:
        predictor.set_image(waves(210, 300))
    for prompt in asked:
        theirs, truth, ours = (predictor.predict(**prompt) for predictor in predictors)
        for number in (1, 2):
            assert_as_exact(ours[number], theirs[number], truth[number])
        assert theirs[0].any() and not theirs[0].all()
        logits = predictors[1].predict(**prompt, return_logits=True)[0]
        assert_same_masks(ours[0], theirs[0], logits)


def test_their_automatic_masks_run_on_our_model(models):
    # Nothing is left out because of a score or an overlap: a value within rounding of a limit would decide.
    options = dict(points_per_side=6, pred_iou_thresh=-9.0, stability_score_thresh=0.0, box_nms_thresh=1.0)
    theirs, _, ours = models
    expected, found = (
        SamAutomaticMaskGenerator(model, **options).generate(waves(210, 300)) for model in (theirs, ours)
    )
    assert len(expected) == 6 * 6 * 3
    assert_same_objects(found, expected)


@pytest.mark.slow
@torch.no_grad()
def test_full_vit_b_at_1024():
    theirs, ours = pair(VARIANTS["vit_b"])
    image = torch.randn(1, 3, 1024, 1024)
    torch.set_num_threads(2)
    # In float64 this size would take 5 GiB.
    assert_same(ours.image_encoder(image), theirs.image_encoder(image))
