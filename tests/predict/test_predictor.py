"""The predictor beside segment-anything's own, on the same random weights."""

import numpy as np
import pytest
import torch
from pycocotools import mask as coco_mask
from segment_anything import SamPredictor

from tests.kit.closeness import assert_same, assert_same_masks, assert_same_objects
from tests.kit.models import tiny
from tests.kit.pictures import waves
from ultrasam import preprocess
from ultrasam.data.polygons import polygons
from ultrasam.errors import PromptError
from ultrasam.predict import masks
from ultrasam.predict.object_prompt import ObjectPrompt
from ultrasam.predict.predictor import Predictor
from ultrasam.preprocess import Geometry
from ultrasam.prompts.refine import Refinement

PROMPTS = [
    {"point_coords": np.array([[90.0, 60]]), "point_labels": np.array([1])},
    {"point_coords": np.array([[90.0, 60], [20, 20], [150.5, 99]]), "point_labels": np.array([1, 0, 1])},
    {"box": np.array([60.0, 30, 120, 90])},
    {"box": np.array([60, 30, 120, 90]), "point_coords": [[10, 10]], "point_labels": [0]},
]


@pytest.mark.parametrize("multimask", [True, False])
@pytest.mark.parametrize("size", [(120, 200), (256, 256), (700, 431)])
def test_same_masks_as_segment_anything(tiny_model, size, multimask):
    image = waves(*size)
    theirs, ours = SamPredictor(tiny_model), Predictor(tiny_model, resampling="pillow")
    theirs.set_image(image)
    ours.set_image(image)
    assert torch.equal(theirs.features, ours.features)
    assert ours.original_size == theirs.original_size and ours.input_size == tuple(theirs.input_size)
    low = None
    for prompt in PROMPTS:
        prompt = {k: np.asarray(v) for k, v in prompt.items()}
        for mask_input in (None, low):
            expected = theirs.predict(**prompt, mask_input=mask_input, multimask_output=multimask)
            found = ours.predict(**prompt, mask_input=mask_input, multimask_output=multimask)
            for a, b in zip(expected, found, strict=True):
                assert a.shape == b.shape and a.dtype == b.dtype
            assert 0.02 < expected[0].mean() < 0.98
            assert_same(found[2], expected[2])
            assert_same(found[1], expected[1], scale=1)
            logits = theirs.predict(
                **prompt, mask_input=mask_input, multimask_output=multimask, return_logits=True
            )[0]
            assert_same_masks(found[0], expected[0], logits)
            low = expected[2][:1]


def test_torch_twin_and_logits(tiny_model, picture):
    theirs, ours = SamPredictor(tiny_model), Predictor(tiny_model, resampling="pillow")
    theirs.set_image(picture)
    resized = torch.from_numpy(theirs.transform.apply_image(picture)).permute(2, 0, 1)[None]
    assert np.array_equal(ours.transform.apply_image(picture), theirs.transform.apply_image(picture))
    ours.set_torch_image(resized, picture.shape[:2])
    assert torch.equal(theirs.features, ours.features)
    boxes = torch.tensor([[60, 30, 120, 90], [5, 5, 50, 100]])
    for predictor in (theirs, ours):
        predictor.boxes = predictor.transform.apply_boxes_torch(boxes, picture.shape[:2])
    assert_same(ours.boxes, theirs.boxes)
    expected = theirs.predict_torch(None, None, theirs.boxes, return_logits=True)
    found = ours.predict_torch(None, None, ours.boxes, return_logits=True)
    for a, b in zip(expected, found, strict=True):
        assert_same(b, a)
    full = ours.predict(box=[60, 30, 120, 90], return_logits=True)[0]
    assert_same(full, expected[0][0])


def test_many_ragged_objects_equal_one_by_one(tiny_model, picture):
    predictor = Predictor(tiny_model)
    predictor.set_image(picture)
    low = predictor.predict(box=[60, 30, 120, 90], multimask_output=False)[2]
    objects = [
        ObjectPrompt(points=[[90, 60]]),
        ObjectPrompt(points=[[90, 60], [10, 10], [3, 100]], labels=[1, 0, 0]),
        ObjectPrompt(box=[60, 30, 120, 90]),
        ObjectPrompt(box=[60, 30, 120, 90], points=[[100, 50]], labels=[0], mask=low),
        ObjectPrompt(mask=low[0]),
    ]
    for multimask in (False, True):
        together = predictor.segment(objects, multimask=multimask)
        assert together.masks.shape == (5, 120, 200) and len(together) == 5
        for i, entry in enumerate(objects):
            alone = predictor.segment([entry], multimask=multimask)
            assert_same(together.logits[i], alone.logits[0])
            assert_same(together.scores[i], alone.scores[0], scale=1)


def test_batch_of_images_equals_one_by_one(tiny_model):
    images = [waves(), waves(90, 70, 1), waves(300, 280, 2)]
    boxes = [[60, 30, 120, 90], [10, 10, 40, 60], [100, 100, 200, 220]]
    predictor = Predictor(tiny_model)
    predictor.set_image_batch(images)
    full, iou, low = predictor.predict_batch(box_batch=boxes)
    objects = [ObjectPrompt(box=boxes[i], image=i) for i in (2, 0, 1, 0)]
    segmented = predictor.segment_batch(objects, multimask=True)
    assert [len(s) for s in segmented] == [2, 1, 1]
    for i, image in enumerate(images):
        alone = Predictor(tiny_model)
        alone.set_image(image)
        expected = alone.predict(box=boxes[i])
        assert full[i].shape == expected[0].shape == (3, *image.shape[:2])
        assert_same(low[i], expected[2])
        assert_same(iou[i], expected[1], scale=1)
        best = int(expected[1].argmax())
        logits = alone.predict(box=boxes[i], return_logits=True)[0]
        assert_same_masks(full[i], expected[0], logits)
        assert_same_masks(segmented[i].masks[0], expected[0][best], logits[best])


def test_masks_only_where_they_are_equal_the_whole_frame():
    torch.manual_seed(0)
    checked = 0
    for height, width, rule in [
        (120, 200, "round"),
        (1, 1, "round"),
        (900, 1300, "truncate"),
        (3000, 40, "round"),
    ]:
        geometry = Geometry.of(height, width, 256, rule)
        y, x = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
        disc = 30 - (x - 20) ** 2 - (y - 9) ** 2 + torch.randn(64, 64)
        for logits in (disc, torch.randn(64, 64), -torch.ones(64, 64), torch.ones(64, 64)):
            for mode in ("logits", "official"):
                expected = preprocess.to_masks(logits[None, None], geometry, mode)[0].numpy()
                found = masks.masks_of(logits[None], geometry, mode)
                assert found.shape == expected.shape
                cut = (logits > 0).float() if mode == "official" else logits
                whole = preprocess.upsample_logits(cut[None, None], geometry)[0]
                assert_same_masks(found, expected, whole)
                checked += int(found.sum())
    assert checked > 1e6


def test_refinement_feeds_the_mask_back(tiny_model, picture):
    plain, refined = Predictor(tiny_model), Predictor(tiny_model, refinement=Refinement(passes=1))
    plain.set_image(picture)
    refined.set_image(picture)
    first = plain.predict(box=[60, 30, 120, 90], multimask_output=False)
    second = plain.predict(box=[60, 30, 120, 90], mask_input=first[2])
    found = refined.predict(box=[60, 30, 120, 90])
    assert_same(found[2], second[2])
    one = refined.predict(box=[60, 30, 120, 90], multimask_output=False)
    assert_same(one[2][0], second[2][second[1].argmax()])


def test_automatic_masks_are_segment_anythings(tiny_model):
    from segment_anything import SamAutomaticMaskGenerator

    # Nothing is left out because of a score or an overlap: a value within rounding of a limit would decide.
    options = {"points_per_side": 4, "pred_iou_thresh": -9.0, "stability_score_thresh": 0.0}
    options |= {"box_nms_thresh": 1.0}
    image = waves(64, 64)
    expected = SamAutomaticMaskGenerator(tiny_model, **options).generate(image)
    found = Predictor(tiny_model, resampling="pillow").automatic_masks(image, **options)
    assert_same_objects(found, expected)


def test_embedding_cache(tiny_model, picture, tmp_path, monkeypatch):
    first = Predictor(tiny_model, cache=tmp_path)
    first.set_image(picture)
    calls = []
    monkeypatch.setattr(type(tiny_model), "encode_images", lambda *a: calls.append(a))
    again = Predictor(tiny_model, cache=tmp_path)
    again.set_image(picture)
    assert not calls and torch.equal(first.features, again.features)
    monkeypatch.undo()
    other = picture.copy()
    other[0, 0] ^= 1
    again.set_image(other)
    assert not torch.equal(first.features, again.features)
    changed = tiny(seed=2)
    third = Predictor(changed, cache=tmp_path)
    third.set_image(picture)
    assert not torch.equal(first.features, third.features)
    assert len(list(tmp_path.glob("??/*.safetensors"))) == 3
    for path in tmp_path.glob("??/*.safetensors"):
        path.write_bytes(b"damaged")
    again = Predictor(tiny_model, cache=tmp_path)
    again.set_image(picture)
    assert torch.equal(first.features, again.features)


def test_cache_forgets_the_oldest(tmp_path):
    from ultrasam.predict.embeddings_cache import EmbeddingsCache

    cache = EmbeddingsCache(tmp_path, max_bytes=3000)
    import os

    for i in range(4):
        cache.put(f"{i}0", torch.full((1, 256), float(i)))
        os.utime(tmp_path / f"{i}0" / f"{i}0.safetensors", (i, i))
    assert cache.get("00") is None and float(cache.get("30")[0, 0]) == 3.0


def test_windows(tiny_model):
    predictor = Predictor(tiny_model, window=(1000, 3000))
    gray = np.linspace(0, 4000, 120 * 200).reshape(120, 200).astype(np.uint16)
    predictor.set_image(gray)
    features = predictor.features
    eight = np.clip(np.rint((gray.astype(float) - 1000) * 255 / 2000), 0, 255).astype(np.uint8)
    plain = Predictor(tiny_model)
    plain.set_image(eight)
    assert torch.equal(features, plain.features)
    plain.set_image(np.repeat(eight[:, :, None], 3, axis=2), "BGR")
    assert torch.equal(features, plain.features)
    stretched = Predictor(tiny_model, window="minmax")
    stretched.set_image((eight / 255).astype(np.float32))
    # Gray values that were divided by 255 and multiplied again.
    assert_same(stretched.features, features, rounding=1e-3)


def test_half_precision_is_close(tiny_model, picture):
    full, half = Predictor(tiny_model), Predictor(tiny_model, dtype=torch.bfloat16)
    full.set_image(picture)
    half.set_image(picture)
    assert half.features.dtype == torch.float32
    assert (full.features - half.features).abs().mean() < 0.05 * full.features.abs().mean()


def test_outputs(tiny_model, picture):
    predictor = Predictor(tiny_model)
    predictor.set_image(picture)
    found = predictor.segment(
        [ObjectPrompt(box=[60, 30, 120, 90]), ObjectPrompt(points=[[50, 50], [9, 9]], labels=[1, 0])]
    )
    for mask, rle, entry in zip(found.masks, found.rles(), found.coco(7, first_id=3), strict=True):
        assert np.array_equal(coco_mask.decode(rle).astype(bool), mask)
        assert rle == coco_mask.encode(np.asfortranarray(mask, np.uint8)) | {"counts": rle["counts"]}
        assert entry["area"] == mask.sum() and entry["image_id"] == 7
        assert entry["bbox"] == pytest.approx(coco_mask.toBbox(rle).tolist())
    assert found.overlay(picture).shape[2] == 3
    assert found.coco(polygons=True)[0]["segmentation"]


def test_polygons_draw_the_mask_again():
    y, x = np.mgrid[:60, :80]
    disc = (x - 30) ** 2 + (y - 25) ** 2 < 300
    two = disc | ((x > 60) & (y > 40) & (x < 75))
    for mask, count in ((disc, 1), (two, 2), (np.eye(9, dtype=bool), 1), (np.zeros((5, 5), bool), 0)):
        outlines = polygons(mask)
        assert len(outlines) == count
        if count:
            rle = coco_mask.merge(coco_mask.frPyObjects(outlines, *mask.shape))
            drawn = coco_mask.decode(rle).astype(bool)
            assert (drawn & mask).sum() / (drawn | mask).sum() > 0.97
    assert len(polygons(disc, 1.0)[0]) < len(polygons(disc)[0]) / 2


def test_what_says_only_where_it_is_not_is_named_by_its_number(tiny_model):
    inside = ObjectPrompt(points=[[20.5, 20.5]], labels=[1])
    with pytest.raises(PromptError, match="object 2 has points outside of it alone"):
        Predictor(tiny_model).segment_once(waves(64, 64), [inside, ObjectPrompt(points=[[9, 9]], labels=[0])])
