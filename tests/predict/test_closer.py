"""A second look: the same masks as on the cut-out image, back in their place."""

import copy

import numpy as np
import pytest
import torch
from pycocotools import mask as coco_mask

from tests.kit.closeness import assert_same, assert_same_masks
from tests.kit.pictures import scan
from ultrasam.errors import UltraSamError
from ultrasam.predict.crop import Crop, resample
from ultrasam.predict.object_prompt import ObjectPrompt
from ultrasam.predict.predictor import Predictor
from ultrasam.predict.segmentation import Segmentation
from ultrasam.preprocess import Geometry, region, upsample_logits
from ultrasam.prompts.refine import Refinement
from ultrasam.types import ModelUsage


@pytest.fixture(scope="module")
def image():
    return scan()


def logits(answer: Segmentation, predictor: Predictor) -> torch.Tensor:
    """Of an answer on the predictor's image, in full resolution."""
    return upsample_logits(torch.from_numpy(answer.logits)[:, None], predictor.geometries[0])[:, 0]


def test_a_region_is_a_square_with_the_box_in_its_middle():
    assert region((80, 90, 120, 110), 300, 300, share=0.5) == (60, 60, 140, 140)
    # At the border it is cut, and never smaller than a few pixels.
    assert region((0, 0, 40, 20), 300, 300, share=0.5) == (0, 0, 60, 50)
    assert region((100, 100, 101, 101), 300, 300) == (84, 84, 117, 117)
    x1, y1, x2, y2 = region((-50, -50, -40, -40), 30, 30)
    assert 0 <= x1 < x2 <= 30 and 0 <= y1 < y2 <= 30


def test_same_masks_as_on_the_cut_out_image(tiny_model, image):
    box = np.array([70.0, 60, 110, 100])
    x1, y1, x2, y2 = region(box, *image.shape[:2])
    assert (x1, y1, x2, y2) == (61, 51, 119, 109)
    points = np.array([[90.5, 80.5], [66.5, 56.5]])
    prompts = [ObjectPrompt(box=box), ObjectPrompt(points, [1, 0], box=box)]
    closer = Predictor(tiny_model, closer=True)
    closer.set_image(image)
    cut = Predictor(tiny_model)
    cut.set_image(np.ascontiguousarray(image[y1:y2, x1:x2]))
    corner = np.array([x1, y1])
    moved = [
        ObjectPrompt(box=box - np.tile(corner, 2)),
        ObjectPrompt(points - corner, [1, 0], box=box - np.tile(corner, 2)),
    ]
    found, expected = closer.segment(prompts, multimask=True), cut.segment(moved, multimask=True)
    assert_same(found.scores, expected.scores, scale=1)
    # A box holds its object; the positive point at (90, 80) lies inside anyway.
    held = np.zeros((200, 200), dtype=bool)
    held[60:100, 70:110] = True
    inside = held[y1:y2, x1:x2]
    assert_same_masks(found.masks[:, y1:y2, x1:x2] & inside, expected.masks & inside, logits(expected, cut))
    assert found.masks.any() and not found.masks[:, ~held].any() and expected.masks.sum() > found.masks.sum()
    for code, mask in zip(found.rles(), found.masks, strict=True):
        assert np.array_equal(coco_mask.decode(code).astype(bool), mask)
    masks, iou, low = closer.predict(box=box, multimask_output=True)
    assert masks.shape == (3, 200, 200) and np.array_equal(masks[iou.argmax()], found.masks[0])
    assert low.shape == (3, 64, 64)


def test_a_region_that_is_the_whole_image_changes_nothing(tiny_model, image):
    entry = ObjectPrompt([[100.5, 100.5]], box=[10, 10, 190, 195])
    near, far = Predictor(tiny_model, closer=True), Predictor(tiny_model)
    near.set_image(image)
    far.set_image(image)
    found, expected = near.segment([entry]), far.segment([entry])
    part = np.s_[:, 10:195, 10:190]
    assert_same_masks(found.masks[part], expected.masks[part], logits(expected, far)[part])
    assert_same(found.logits, expected.logits)


def test_a_positive_point_outside_widens_what_a_box_holds(tiny_model, image):
    near = Predictor(tiny_model, closer=True)
    near.set_image(image)
    inside = near.segment([ObjectPrompt([[75.5, 65.5]], box=[70.4, 60, 110, 100])]).masks[0]
    wider = near.segment([ObjectPrompt([[130.5, 65.5]], box=[70.4, 60, 110, 100])]).masks[0]
    for mask, right in ((inside, 110), (wider, 131)):
        rows, columns = np.nonzero(mask)
        # Column 70 is touched by the box.
        assert columns.min() >= 70 and columns.max() < right and rows.min() >= 60 and rows.max() < 100
    assert wider[:, 110:].any()


def test_a_point_alone_looks_round_the_first_mask(tiny_model, image):
    far, near = Predictor(tiny_model), Predictor(tiny_model, closer=True)
    far.set_image(image)
    near.set_image(image)
    entry = ObjectPrompt([[90.5, 80.5]])
    first = far.segment([entry], multimask=True)
    corners = np.array([first.boxes[0][:2], first.boxes[0][2:], [90, 80], [91, 81]])
    x1, y1, x2, y2 = region(np.concatenate([corners.min(0), corners.max(0)]), 200, 200)
    far.set_image(np.ascontiguousarray(image[y1:y2, x1:x2]))
    expected = far.segment([ObjectPrompt([[90.5 - x1, 80.5 - y1]])])
    assert np.array_equal(near.segment([entry]).masks[:, y1:y2, x1:x2], expected.masks)


def test_objects_on_several_images(tiny_model, image):
    near = Predictor(tiny_model, closer=True)
    other = np.ascontiguousarray(image[:150, ::-1])
    near.set_image_batch([image, other])
    boxes = [[70, 60, 110, 100], [20, 30, 60, 90]]
    both = near.segment_batch([ObjectPrompt(box=b, image=i) for i, b in enumerate(boxes)])
    for picture, box, found in zip((image, other), boxes, both, strict=True):
        near.set_image(picture)
        assert_same_masks(found.masks, near.segment([ObjectPrompt(box=box)]).masks)
        assert found.masks.shape[1:] == picture.shape[:2]


def test_logits_move_between_crops():
    whole = Crop((0, 0), Geometry.of(200, 100, 128))
    part = Crop((30, 40), Geometry.of(60, 60, 128))
    y, x = np.mgrid[:32, :32].astype(np.float32)

    def plane(crop):
        """2 x - y of the image at the middle of each cell."""
        sx, sy = crop.geometry.scale
        return 2 * ((x + 0.5) * 4 / sx + crop.corner[0]) - ((y + 0.5) * 4 / sy + crop.corner[1])

    assert np.allclose(resample(plane(whole), whole, whole), plane(whole), atol=1e-3)
    assert np.allclose(resample(plane(whole), whole, part), plane(part), atol=0.3)
    back = resample(plane(part), part, whole)
    inside = np.abs(back - plane(whole)) < 0.3
    # The part is 60 of 200 pixels, 9.6 of 32 cells; outside it nothing is known.
    assert inside.sum() >= 8 * 8 and back[0, 0] == -10


def test_refinement_has_no_closer_views(tiny_model):
    with pytest.raises(UltraSamError, match="exclude each other"):
        Predictor(tiny_model, closer=True, refinement=Refinement())


@pytest.mark.parametrize("closer", [False, True])
def test_no_objects(tiny_model, image, closer):
    predictor = Predictor(tiny_model, closer=closer)
    predictor.set_image(image)
    found = predictor.segment([])
    assert found.masks.shape == (0, 200, 200) and found.rles() == found.coco() == [] and len(found) == 0
    assert found.logits.shape == (0, 64, 64)


def test_a_model_says_whether_it_looks_closer(tiny_model):
    assert not Predictor(tiny_model).closer and Predictor(tiny_model, closer=True).closer
    model = copy.deepcopy(tiny_model)
    model.usage = ModelUsage(closer=True)
    assert Predictor(model).closer and not Predictor(model, closer=False).closer
    assert not Predictor(model, refinement=Refinement()).closer


def test_an_input_tensor_shows_no_detail(tiny_model):
    with pytest.raises(UltraSamError, match="closer views need the image"):
        Predictor(tiny_model, closer=True).set_torch_image(torch.zeros(1, 3, 128, 128), (128, 128))
