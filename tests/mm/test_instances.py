"""Data of instance segmentation: image and mask move together, classes are checked, scores are COCO's."""

import json

import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from tests.kit.miniature import SIZE
from ultrasam.data import coco
from ultrasam.errors import DataError
from ultrasam.mm.datasets.instance_dataset import InstanceDataset, ScaleJitter
from ultrasam.mm.evaluation.instance_metric import InstanceMetric
from ultrasam.mm.models.preprocessor import InstanceDataPreprocessor

CLASSES = ("cyst", "tumour", "nodule", "vessel", "chamber", "head")


def dataset(data, classes=("cyst", "nodule"), name="train", **kwargs):
    return InstanceDataset(
        img_size=SIZE,
        classes=classes,
        data_root=f"{data}/",
        data_prefix={"img": "images/"},
        ann_file=f"annotations/{name}.json",
        **kwargs,
    )


def test_the_file_is_parsed_once(phantom_data, monkeypatch):
    calls, read = [], json.loads
    monkeypatch.setattr(json, "loads", lambda *a, **k: calls.append(1) or read(*a, **k))
    monkeypatch.setattr(json, "load", lambda *a, **k: pytest.fail("another reader"))
    assert len(dataset(phantom_data)) > 0 and len(calls) == 1


def test_jitter_moves_image_and_mask_alike():
    rng = np.random.default_rng(0)
    jitter = ScaleJitter(64, (0.1, 2.0))
    sizes = set()
    for _ in range(40):
        mask = np.zeros((50, 80), bool)
        mask[10:30, 20:60] = True
        image = np.repeat((mask * 200).astype(np.uint8)[..., None], 3, axis=2)
        sample = {"rng": rng, "img": image, "masks": [mask], "instances": [{"bbox_label": 0}]}
        found = jitter.transform(sample)
        height, width = found["img"].shape[:2]
        sizes.add((height, width))
        assert height <= 64 and width <= 64
        for moved, box in zip(found["masks"], found["boxes"], strict=True):
            bright = found["img"][..., 0] > 100
            union = (moved | bright).sum()
            # Half a pixel of border may differ: linear against nearest.
            assert (moved ^ bright).sum() <= 2 * (height + width) and union > 0
            x1, y1, x2, y2 = box.astype(int)
            assert moved[y1:y2, x1:x2].sum() == moved.sum()
            assert moved[y1:y2, x1:x2].any(axis=0).all() and moved[y1:y2, x1:x2].any(axis=1).all()
        assert len(found["masks"]) == len(found["instances"]) == len(found["boxes"])
    assert len(sizes) > 20


def test_a_sample_is_a_function_of_its_ticket(phantom_data):
    first, second = dataset(phantom_data, seed=3), dataset(phantom_data, seed=3)
    for ticket in (0, 5, len(first) + 5):
        assert torch.equal(first[ticket]["inputs"], second[ticket]["inputs"])
    assert not torch.equal(first[5]["inputs"].float().mean(), first[len(first) + 5]["inputs"].float().mean())


def test_batches_are_padded_to_the_input(phantom_data):
    used = dataset(phantom_data)
    samples = [used[i] for i in range(3)]
    batch = {k: [s[k] for s in samples] for k in ("inputs", "data_samples")}
    ready = InstanceDataPreprocessor(SIZE)(batch, training=True)
    assert ready["inputs"].shape == (3, 3, SIZE, SIZE)
    for sample in ready["data_samples"]:
        assert sample.gt_instances.masks.masks.shape[1:] == (SIZE, SIZE)
    image = torch.full((3, 40, SIZE), 7, dtype=torch.uint8)
    for divisor, height in ((None, SIZE), (16, 48)):
        test = {"inputs": [image], "data_samples": [DetDataSample(metainfo={"img_shape": (40, SIZE)})]}
        ready = InstanceDataPreprocessor(SIZE, divisor)(test)
        assert ready["inputs"].shape == (1, 3, height, SIZE)
        assert ready["data_samples"][0].batch_input_shape == (height, SIZE)


def test_classes_are_checked(phantom_data, tmp_path):
    with pytest.raises(DataError, match="no category cancer"):
        dataset(phantom_data, ("cyst", "cancer"))
    content = json.loads((phantom_data / "annotations/train.json").read_text())
    head = {c["name"]: c["id"] for c in content["categories"]}["head"]
    content["annotations"] = [a for a in content["annotations"] if a["category_id"] != head]
    without = tmp_path / "without.json"
    without.write_text(json.dumps(content))
    with pytest.raises(DataError, match="no object of head: nothing can be learned"):
        InstanceDataset(
            img_size=SIZE,
            classes=CLASSES,
            ann_file=str(without),
            data_prefix={"img": f"{phantom_data}/images/"},
        )
    one = content["images"][0]["id"]
    content["images"] = content["images"][:1]
    content["annotations"] = [a for a in content["annotations"] if a["image_id"] == one]
    name = {c["id"]: c["name"] for c in content["categories"]}[content["annotations"][0]["category_id"]]
    without.write_text(json.dumps(content))
    with pytest.raises(DataError, match="one image"):
        InstanceDataset(
            img_size=SIZE,
            classes=(name,),
            ann_file=str(without),
            data_prefix={"img": f"{phantom_data}/images/"},
        )


def test_scores_are_pycocotools(phantom_data, tmp_path):
    """Noisy copies of the truth, scored here and by pycocotools on the data set's own file."""
    used = dataset(phantom_data, CLASSES, "test", test_mode=True)
    metric = InstanceMetric(outfile=str(tmp_path / "found.json"))
    metric.dataset_meta = used.metainfo
    rng = np.random.default_rng(0)
    results = []
    truth = COCO(str(phantom_data / "annotations/test.json"))
    ids = {c["name"]: c["id"] for c in truth.dataset["categories"]}
    for i in range(len(used)):
        sample = used[i]["data_samples"]
        masks, labels = [], []
        for item in sample.instances:
            mask = coco.decode(item["mask"], sample.ori_shape, "")
            masks.append(np.roll(mask, int(rng.integers(0, 6)), axis=1))
            labels.append(item["bbox_label"] if rng.random() < 0.8 else int(rng.integers(0, 6)))
        scores = rng.random(len(masks)).astype(np.float32)
        boxes = [coco_box(mask) for mask in masks]
        sample.pred_instances = InstanceData(
            masks=torch.from_numpy(np.stack(masks)),
            labels=torch.tensor(labels),
            scores=torch.from_numpy(scores),
            bboxes=torch.tensor(boxes, dtype=torch.float32),
        )
        metric.process({}, [sample.to_dict()])
        for mask, label, score in zip(masks, labels, scores.tolist(), strict=True):
            results.append(
                {
                    "image_id": sample.img_id,
                    "category_id": ids[CLASSES[label]],
                    "segmentation": coco.encode(mask),
                    "score": score,
                }
            )
    found = metric.evaluate(len(used))
    run = COCOeval(truth, truth.loadRes(results), "segm")
    run.evaluate()
    run.accumulate()
    run.summarize()
    assert found["coco/segm_mAP"] == pytest.approx(run.stats[0], abs=6e-4) and run.stats[0] > 0.05
    assert found["coco/segm_mAP_50"] == pytest.approx(run.stats[1], abs=6e-4)
    assert len(json.loads((tmp_path / "found.segm.json").read_text())) == len(results)


def coco_box(mask):
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]
