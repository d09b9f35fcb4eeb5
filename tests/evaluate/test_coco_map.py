"""Scores against hand-computed cases and pycocotools' own path through files, by both backends."""

import json
import logging
import sys
from dataclasses import replace

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from ultrasam.data import coco
from ultrasam.evaluate import coco_map as evaluation
from ultrasam.evaluate.coco_map import ImageResult, accumulate, coco_map, evaluate, to_coco

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
        for rle, (x1, y1, x2, y2) in zip(r.targets, r.target_boxes.tolist(), strict=True):
            truth["annotations"].append(
                {"id": len(truth["annotations"]) + 1, "image_id": r.image_id, "category_id": 1, "iscrowd": 0}
                | {"segmentation": rle, "bbox": [x1, y1, x2 - x1, y2 - y1], "area": (x2 - x1) * (y2 - y1)}
            )
        for rle, score in zip(r.predictions, r.scores, strict=True):
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


def hard_case(name):
    """Truth and predictions as COCO content, with what prompted results seldom have."""
    truth, found = to_coco(random_results(30))
    rng = np.random.default_rng(1)
    if name == "many detections":
        for entry in list(found):
            for _ in range(int(rng.integers(0, 60))):
                x, y, side = rng.integers(0, 30, 3) + [0, 0, 3]
                mask = square(x, y, side)
                shape = {
                    "bbox": [float(x), float(y), float(side), float(side)],
                    "segmentation": coco.encode(mask),
                }
                found.append({**entry, **shape, "score": float(rng.random())})
    elif name == "ties":
        found = [{**entry, "score": round(entry["score"], 1)} for entry in found]
    elif name == "crowds":
        for annotation in truth["annotations"][::3]:
            annotation["iscrowd"] = 1
    elif name == "several classes":
        truth["categories"].append({"id": 2, "name": "other"})
        for entry in [*truth["annotations"], *found]:
            entry["category_id"] = 1 + int(rng.random() < 0.4)
    elif name == "images without answers":
        found = [entry for entry in found if entry["image_id"] % 3]
    elif name == "all sizes":
        for annotation in truth["annotations"]:
            annotation["area"] = float(rng.choice([100.0, 3000.0, 20000.0]))
    return truth, found


@pytest.mark.parametrize("kind", ["segm", "bbox"])
@pytest.mark.parametrize(
    "name",
    ["plain", "many detections", "ties", "crowds", "several classes", "images without answers", "all sizes"],
)
def test_all_twelve_numbers_of_both_backends_are_equal(name, kind, capsys):
    pytest.importorskip("faster_coco_eval", reason="the extra 'mm' is not installed")
    runs = [accumulate(*hard_case(name), kind, backend) for backend in ("pycocotools", "faster-coco-eval")]
    for array in ("precision", "recall"):
        plain, fast = (run.eval[array] for run in runs)
        assert np.abs(plain - fast).max() <= np.spacing(1)  # which pycocotools adds to its divisors
    for run in runs:
        run.params.maxDets[-1] = 100  # summaries look for it by name, even where more were kept
        run.summarize()
    plain, fast = (np.array(run.stats[:12]) for run in runs)
    assert np.abs(plain - fast).max() <= np.spacing(1)
    assert 0 < plain[0] < 1


def test_without_faster_coco_eval_pycocotools_scores_and_says_so_once(monkeypatch, caplog):
    results = random_results()
    expected = coco_map(results, "pycocotools")
    monkeypatch.setitem(sys.modules, "faster_coco_eval", None)  # importing it fails, as where it is missing
    evaluation._backend.cache_clear()
    with caplog.at_level(logging.INFO, logger="ultrasam.evaluate.coco_map"):
        assert coco_map(results) == coco_map(results) == expected
    evaluation._backend.cache_clear()
    assert [r.message for r in caplog.records] == [
        "faster-coco-eval is not installed; pycocotools scores, three times as slowly"
    ]


@pytest.mark.parametrize("backend", ["faster-coco-eval", "pycocotools"])
def test_ids_may_be_texts(backend):
    numbered = random_results()
    named = [replace(r, image_id=f"img-{r.image_id:02d}") for r in numbered]
    assert coco_map(named, backend) == coco_map(numbered, backend)
    assert evaluate(named) == evaluate(numbered)
