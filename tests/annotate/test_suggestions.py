"""What detectors propose becomes suggestions: from Python, and over HTTP with a real one of MMDetection."""

from __future__ import annotations

import argparse
import json

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from tests.kit.annotating import BOX, SIZE, Hand
from ultrasam.annotate.jobs import Jobs
from ultrasam.cli import annotate
from ultrasam.data import coco, images
from ultrasam.errors import PromptError
from ultrasam.predict.detections import Detections
from ultrasam.predict.object_prompt import ObjectPrompt
from ultrasam.predict.predictor import Predictor


class Fixed:
    """Proposes the same in each image."""

    title = "fixed"

    def __init__(self, names, boxes, scores, labels, masks=None):
        self.names = names
        self.found = Detections(np.array(boxes, float), np.array(scores), np.array(labels), masks)

    def propose(self, encoded):
        return self.found


def suggested(session, **options):
    return list(Jobs(session).automatic(0, 0, options))[-1]


def test_boxes_become_prompts_and_masks_are_the_predictors(start, folder, predictor):
    boxes = [BOX, [150.123, 80, 230, 160], [-20, 10, -5, 30]]
    session = start(proposer=Fixed(["nodule", "cyst"], boxes, [0.9, 0.8, 0.7], [0, 1, 0]))
    assert [one["name"] for one in session.classes()] == ["cyst", "vessel", "nodule"]
    assert session.describe()["proposer"] == "fixed"
    told = suggested(session)
    first, second = told["frame"]["objects"]
    assert told["left_out"] == 1  # beside the image
    encoded = predictor.encode(images.read_image(folder / "a.png"))
    # What lies outside of the image is cut off.
    for entry, box in ((first, BOX), (second, [150.12, 80, 200, 120])):
        expected = encoded.segment([ObjectPrompt(box=box)])
        assert entry["box"] == box and entry["mask"] == expected.rles()[0]
        assert entry["iou"] == pytest.approx(float(expected.scores[0]), abs=1e-4)
    assert [(e["class"], e["detected"], e["source"]) for e in (first, second)] == [
        *((2, 0.9, "suggested"), (0, 0.8, "suggested"))
    ]
    # Accepted, it is what drawing the box by hand gives, and the detector's score goes into the file.
    hand = Hand(session)
    hand.do({"kind": "accept_suggestion", "object": first["id"]})
    hand.do({"kind": "delete", "object": second["id"]})
    (drawn,) = Hand(start([folder / "b.png", folder / "a.png"], out=folder / "other.json"), 1).do(
        {"kind": "add", "class": 0, "box": BOX}
    )["objects"]
    assert drawn["mask"] == first["mask"] and drawn["detected"] is None
    session.save()
    (written,) = json.loads(session.out.read_text())["annotations"]
    assert (written["detector_score"], written["prompts"]["box"]) == (0.9, BOX)
    assert written["score"] == pytest.approx(first["iou"])
    # What has a label is not suggested again.
    sources = [entry["source"] for entry in suggested(session)["frame"]["objects"]]
    assert sources == ["prompt", "suggested"]


def test_masks_stay_as_they_are_and_classes_go_by_name(start):
    mask = np.zeros((2, *SIZE), bool)
    mask[0, 20:40, 30:70] = True
    boxes = [[30, 20, 70, 40], [0, 0, 0, 0]]
    session = start(proposer=Fixed(["nodule", "cyst"], boxes, [0.9, 0.4], [0, 1], mask))
    told = suggested(session)
    (one,) = told["frame"]["objects"]
    assert told["left_out"] == 1 and np.array_equal(coco_mask.decode(one["mask"]), mask[0])
    assert (one["class"], one["iou"], one["detected"], one["area"], one["box"]) == (2, 0.9, 0.9, 800, None)


def test_a_proposer_without_kinds_suggests_in_the_class_that_is_asked_for(start):
    session = start(proposer=Fixed([], [BOX], [0.5], [0]))
    assert [one["name"] for one in session.classes()] == ["cyst", "vessel"]
    (one,) = suggested(session, **{"class": 1})["frame"]["objects"]
    assert (one["class"], one["detected"]) == (1, 0.5)
    with pytest.raises(PromptError, match="no class 7"):
        suggested(session, **{"class": 7})


def test_nothing_proposed_takes_earlier_suggestions_away(start):
    proposer = Fixed(["cyst"], [BOX], [0.5], [0])
    session = start(proposer=proposer)
    assert len(suggested(session)["frame"]["objects"]) == 1
    proposer.found = Detections(np.zeros((0, 4)), np.zeros(0), np.zeros(0, int))
    told = suggested(session)
    assert told["frame"]["objects"] == [] and told["done"] == told["total"] == 1
    hand = Hand(session)
    assert len(hand.undo()["objects"]) == 1


def test_a_detector_of_mmdetection_over_http(folder, tiny_weights, tmp_path):
    """As the command starts it: CONFIG and CHECKPOINT, suggestions, one accepted, one rejected."""
    pytest.importorskip("mmdet", reason="the extra 'mm' (OpenMMLab) is not installed")
    pytest.importorskip("fastapi.testclient", reason="fastapi, httpx (extra 'dev') are not installed")
    from tests.annotate.test_http import TOKEN, client_of, edit, events
    from tests.kit.mmdet_models import rtmdet_boxes, write_rtmdet

    config, checkpoint = write_rtmdet(tmp_path / "detector")
    parser = argparse.ArgumentParser()
    annotate.add_parser(parser.add_subparsers())
    given = ["--suggest", str(config), str(checkpoint), "--suggest-score", "0.7", "--engine", "torch"]
    asked = [
        "annotate",
        str(folder),
        "--checkpoint",
        str(tiny_weights),
        "--cache",
        str(tmp_path / "cache"),
        *given,
    ]
    with annotate._session(parser.parse_args(asked)) as session:
        client = client_of(session)
        client.get(f"/?token={TOKEN}")
        told = client.get("/api/session").json()
        assert told["proposer"] == "rtmdet_tiny"
        assert [one["name"] for one in told["classes"]] == ["nodule", "gallstone"]
        steps = events(client.post("/api/items/0/frames/0/automatic", json={}))
        boxes = np.clip(rtmdet_boxes(*SIZE), 0, [*SIZE[::-1]] * 2)
        assert [step["total"] for step in steps[-3:]] == [len(boxes)] * 3
        made = steps[-1]["frame"]["objects"]
        assert len(made) + steps[-1]["left_out"] == len(boxes) and len(made) >= 2
        encoded = Predictor(tiny_weights, engine="torch").encode(images.read_image(folder / "a.png"))
        for entry in made:
            assert min(np.abs(np.subtract(box, entry["box"])).max() for box in boxes) < 0.01
            assert entry["mask"] == encoded.segment([ObjectPrompt(box=entry["box"])]).rles()[0]
            assert (entry["class"], entry["detected"], entry["source"]) == (1, 0.9, "suggested")
        edit(client, {"kind": "accept_suggestion", "object": made[0]["id"]})
        edit(client, {"kind": "delete", "object": made[1]["id"]})
        (label,) = client.get("/api/export?format=coco").json()["annotations"]
        assert label["detector_score"] == 0.9 and coco.as_rle(label["segmentation"], SIZE, "it") is not None
        assert label["segmentation"] == made[0]["mask"]
