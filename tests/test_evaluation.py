"""Scores against hand-computed cases and pycocotools' own path through files."""

import json

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from ultrasam import coco
from ultrasam.evaluation import ImageResult, evaluate

H, W = 50, 70


def square(x, y, side):
    mask = np.zeros((H, W), bool)
    mask[y : y + side, x : x + side] = True
    return mask


def box(mask):
    if not mask.any():
        return [0.0, 0.0, 0.0, 0.0]
    y, x = np.nonzero(mask)
    return [float(x.min()), float(y.min()), float(x.max() + 1), float(y.max() + 1)]


def result(image_id, truth, found, scores, dataset=""):
    return ImageResult(
        image_id,
        dataset,
        (H, W),
        [coco.encode(m) for m in truth],
        np.array([box(m) for m in truth]),
        [coco.encode(m) for m in found],
        np.array([box(m) for m in found]),
        np.array(scores),
    )


def test_by_hand():
    truth = [square(5, 5, 20), square(40, 20, 10)]
    # The first is exact; the second covers half of its object and nothing else: IoU 1/2, Dice 2/3.
    half = truth[1].copy()
    half[25:] = False
    scores = evaluate([result(1, truth, [truth[0], half], [0.9, 0.8])])
    assert scores["mIoU"] == pytest.approx(0.75) and scores["Dice"] == pytest.approx((1 + 2 / 3) / 2)
    # At IoU 0.5 both count, above only the first: 101 recall points, 51 of them at or below one half.
    assert scores["segm_mAP_50"] == pytest.approx(1.0)
    assert scores["segm_mAP"] == pytest.approx((1 + 9 * 51 / 101) / 10)
    assert scores["num_objects"] == 2


def test_nothing_found_scores_zero():
    empty = np.zeros((H, W), bool)
    scores = evaluate([result(1, [square(5, 5, 20)], [empty], [0.5])])
    assert scores["segm_mAP"] == scores["bbox_mAP"] == scores["mIoU"] == scores["Dice"] == 0.0


def random_results(n=12):
    rng = np.random.default_rng(0)
    results = []
    for image_id in range(1, n + 1):
        truth, found = [], []
        for _ in range(int(rng.integers(1, 4))):
            x, y, side = rng.integers(0, 30, 3) + [0, 0, 8]
            truth.append(square(x, y, side))
            found.append(square(x + rng.integers(0, 4), y + rng.integers(0, 4), side + rng.integers(-3, 4)))
        results.append(result(image_id, truth, found, rng.random(len(truth)), f"set{image_id % 2}"))
    return results


def test_equals_pycocotools_from_files(tmp_path):
    results = random_results()
    truth, found = {"info": {}, "images": [], "annotations": [], "categories": [{"id": 1, "name": "o"}]}, []
    for r in results:
        truth["images"].append({"id": r.image_id, "height": H, "width": W})
        for rle, (x1, y1, x2, y2) in zip(r.truth, r.truth_boxes.tolist(), strict=True):
            truth["annotations"].append(
                {"id": len(truth["annotations"]) + 1, "image_id": r.image_id, "category_id": 1, "iscrowd": 0}
                | {"segmentation": rle, "bbox": [x1, y1, x2 - x1, y2 - y1], "area": (x2 - x1) * (y2 - y1)}
            )
        for rle, score in zip(r.masks, r.scores, strict=True):
            found.append(
                {"image_id": r.image_id, "category_id": 1, "segmentation": rle, "score": float(score)}
            )
    (tmp_path / "gt.json").write_text(json.dumps(truth))
    (tmp_path / "dt.json").write_text(json.dumps(found))
    peer = COCO(str(tmp_path / "gt.json"))
    scores = evaluate(results)
    for kind in ("segm", "bbox"):
        run = COCOeval(peer, peer.loadRes(str(tmp_path / "dt.json")), kind)
        run.evaluate(), run.accumulate(), run.summarize()
        assert [scores[f"{kind}_mAP{s}"] for s in ("", "_50", "_75")] == pytest.approx(
            run.stats[:3], abs=1e-12
        )
        assert 0 < run.stats[0] < 1


def test_order_of_images_and_data_sets():
    results = random_results()
    scores = evaluate(results)
    assert scores == evaluate(results[::-1])
    assert scores["set0/num_objects"] + scores["set1/num_objects"] == scores["num_objects"]
    assert scores["set0/segm_mAP"] == evaluate([r for r in results if r.dataset == "set0"])["segm_mAP"]


def test_more_than_a_hundred_prompts_in_an_image():
    truth = [square(x, y, 4) for x in range(0, 66, 5) for y in range(0, 46, 5)]
    assert len(truth) > 100
    assert evaluate([result(1, truth, truth, np.linspace(0, 1, len(truth)))])["segm_mAP"] == pytest.approx(
        1.0
    )
