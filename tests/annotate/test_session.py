"""A session from Python: answers are the predictor's, everything can be undone, everything is there again."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from tests.annotate.conftest import end
from tests.kit.annotating import BOX, EDITS, SIZE, Hand, make_clip, make_images, shown
from tests.kit.models import tiny
from tests.kit.scans import write_scan
from ultrasam.annotate.session import Session, StaleError
from ultrasam.cli.main import main
from ultrasam.data import coco, images
from ultrasam.errors import DataError, PromptError, UltraSamError
from ultrasam.predict import masks
from ultrasam.predict.object_prompt import ObjectPrompt
from ultrasam.predict.predictor import Predictor
from ultrasam.predict.quality import assess
from ultrasam.types import ModelUsage, QualityFit


def pixels(entry):
    return coco_mask.decode(entry["mask"]).astype(bool)


def test_masks_are_the_predictors(start, folder, predictor):
    encoded = predictor.encode(images.read_image(folder / "a.png"))
    hand = Hand(start())
    (box,) = hand.do({"kind": "add", "class": 0, "box": BOX})["objects"]
    expected = encoded.segment([ObjectPrompt(box=BOX)])
    assert np.array_equal(pixels(box), expected.masks[0]) and box["candidates"] == []
    assert box["iou"] == pytest.approx(float(expected.scores[0]), abs=1e-4)
    (corrected,) = hand.do(
        {"kind": "prompt", "object": box["id"], "box": BOX, "points": [[80, 50], [65, 85]], "labels": [1, 0]}
    )["objects"]
    twice = ObjectPrompt([[80, 50], [65, 85]], [1, 0], BOX)
    assert np.array_equal(pixels(corrected), encoded.segment([twice]).masks[0])
    click = hand.do({"kind": "add", "class": 1, "points": [[90, 60]], "labels": [1]})["objects"][1]
    three = encoded.answer([ObjectPrompt([[90, 60]], [1])], multimask=True)
    assert [c["iou"] for c in click["candidates"]] == pytest.approx(three.iou[0].tolist(), abs=1e-4)
    assert click["candidate"] == int(three.iou[0].argmax())
    best = encoded.segment([ObjectPrompt([[90, 60]], [1])], multimask=True)
    assert np.array_equal(pixels(click), best.masks[0])
    # All three differ, so that a mistake in their order would show.
    assert len({c["mask"]["counts"] for c in click["candidates"]}) == 3
    assert (click["clicks"], corrected["clicks"]) == (1, 2)


def test_what_a_mask_is_worth_is_told_where_the_weights_know(start, folder):
    model = tiny(2)
    curve = ((0.0, 0.0), (1.0, 0.5))
    model.usage = ModelUsage(
        quality=QualityFit({"box": curve, "point": curve}, {"box": (1, 1), "point": (1, 1)})
    )
    predictor = Predictor(model, closer=True)
    session = start(model=predictor, quality=True)
    hand = Hand(session)
    (box,) = hand.do({"kind": "add", "class": 0, "box": BOX})["objects"]
    encoded = predictor.encode(images.read_image(folder / "a.png"))
    judged = assess(encoded, encoded.segment([ObjectPrompt(box=BOX)]))
    assert box["quality"] == pytest.approx(float(judged.quality[0]), abs=1e-3) and box["quality"] < box["iou"]
    session.save()
    (written,) = json.loads((folder / "labels.json").read_text())["annotations"]
    assert written["quality"] == box["quality"]
    # Painted over, it is another mask.
    (painted,) = hand.do(
        {"kind": "brush", "object": box["id"], "points": [[20, 20]], "radius": 3, "erase": False}
    )["objects"]
    assert painted["quality"] is None


def test_hover_looks_at_the_whole_image_and_keeps_nothing(start, folder, predictor):
    session = start()
    found = session.hover(0, 0, 90, 60)
    whole = predictor.encode(images.read_image(folder / "a.png")).whole()
    expected = whole.segment([ObjectPrompt([[90, 60]], [1])], multimask=True)
    assert found["mask"] == expected.rles()[0]
    assert session.frame(0)["objects"] == []


def test_a_click_where_the_cursor_rested_is_answered_already(start, folder, predictor, monkeypatch):
    session = start()
    expected = Hand(session).do({"kind": "add", "class": 0, "points": [[90.25, 60]], "labels": [1]})
    session.edit(0, 0, 1, {"kind": "undo"})
    asked = []
    foresight, real = session.assistant._foresight, session.assistant._answer
    monkeypatch.setattr(foresight, "_answer", lambda *of: asked.append(of[1]) or real(*of))
    session.hover(0, 0, 90.25, 60)
    foresight._newest.future.result(10)
    assert [prompt.points for prompt in asked] == [((90.25, 60),)]
    made = Hand(session).do({"kind": "add", "class": 0, "points": [[90.25, 60]], "labels": [1]})
    assert len(asked) == 1
    assert [one["candidates"] for one in made["objects"]] == [
        one["candidates"] for one in expected["objects"]
    ]
    # Another place, another image: found out when it is asked.
    Hand(session).do({"kind": "add", "class": 0, "points": [[50, 60]], "labels": [1]})
    Hand(session, 1).do({"kind": "add", "class": 0, "points": [[90.25, 60]], "labels": [1]})
    assert [prompt.points for prompt in asked[1:]] == [((50, 60),), ((90.25, 60),)]


def test_everything_is_undone_and_redone_also_after_a_crash(start):
    hand = Hand(start())
    states = [[]]
    for edit in EDITS:
        states.append(shown(hand.do(edit)))
    assert states[-1] == [] and len(states[8]) == 2
    for number, expected in enumerate(reversed(states[:-1])):
        assert shown(hand.undo()) == expected
        if number == 3:
            end(hand.session)
            hand = Hand(start())
            assert shown(hand.frame) == expected
    assert not hand.frame["can_undo"]
    with pytest.raises(DataError, match="nothing to undo"):
        hand.undo()
    for expected in states[1:]:
        assert shown(hand.redo()) == expected
    assert not hand.frame["can_redo"]


def test_calipers_are_kept_undone_and_written(start, folder, tmp_path):
    """On an image, beside its objects; a file's own are shown, and leave it when they are taken away."""
    first = start()
    hand = Hand(first)
    hand.do({"kind": "add", "class": 0, "box": BOX})
    assert hand.do({"kind": "calipers", "calipers": [[10, 20, 40, 60], [0, 0, 5, 0]]})["calipers"] == [
        [10, 20, 40, 60],
        [0, 0, 5, 0],
    ]
    assert len(hand.objects) == 1
    assert hand.undo()["calipers"] == [] and len(hand.objects) == 1
    hand.redo()
    hand.do({"kind": "calipers", "calipers": [[10, 20, 40, 60]]})
    first.save()
    content = json.loads(first.out.read_text())
    assert [entry.get("calipers") for entry in content["images"]] == [[[10, 20, 40, 60]], None, None]
    end(first)
    again = start()
    hand = Hand(again)
    assert hand.frame["calipers"] == [[10, 20, 40, 60]]
    assert len(hand.undo()["calipers"]) == 2
    end(again)
    (folder / "labels.json.journal").unlink()
    alone = start()
    hand = Hand(alone)
    assert hand.frame["calipers"] == [[10, 20, 40, 60]]
    hand.do({"kind": "calipers", "calipers": []})
    alone.save()
    assert json.loads(alone.out.read_text())["images"][0]["calipers"] == []
    assert hand.undo()["calipers"] == [[10, 20, 40, 60]]


def test_an_object_without_a_pixel_is_counted_and_not_written(start):
    session = start()
    hand = Hand(session)
    hand.do(
        {"kind": "brush", "object": None, "class": 0, "points": [[-50, -50]], "radius": 3, "erase": False}
    )
    hand.do({"kind": "brush", "object": None, "class": 0, "points": [[50, 50]], "radius": 3, "erase": False})
    session.save()
    assert len(json.loads(session.out.read_text())["annotations"]) == session.saver.left_out == 1


def test_ids_are_never_used_again(start):
    hand = Hand(start())
    first = hand.do({"kind": "add", "class": 0, "box": BOX})["objects"][0]["id"]
    hand.do({"kind": "delete", "object": first})
    hand.session.close()
    hand = Hand(start())
    assert hand.do({"kind": "add", "class": 0, "box": BOX})["objects"][0]["id"] > first


def test_the_file_is_coco_and_training_reads_it(start, folder):
    session = start()
    hand = Hand(session, item=1)
    hand.do({"kind": "add", "class": 1, "box": BOX})
    frame = hand.do(EDITS[7])
    session.set_state(1, "accepted")
    session.set_state(2, "skipped", flagged=True)
    session.close()
    out = folder / "labels.json"
    peer = COCO(out)
    assert [i["file_name"] for i in peer.loadImgs(peer.getImgIds())] == ["a.png", "b.png", "c.png"]
    for annotation, entry in zip(peer.loadAnns(peer.getAnnIds()), frame["objects"], strict=True):
        assert np.array_equal(peer.annToMask(annotation), pixels(entry))
        assert annotation["area"] == pixels(entry).sum() == entry["area"]
        assert peer.cats[annotation["category_id"]]["name"] == "vessel"
    (used,) = coco.load(out, folder).images
    assert used.path == folder / "b.png" and len(used.masks()) == 2
    states = {i["file_name"]: (i["state"], i["flagged"]) for i in peer.dataset["images"]}
    assert states == {"a.png": ("todo", False), "b.png": ("accepted", False), "c.png": ("skipped", True)}
    items = start().describe()["items"]
    assert [(i["state"], i["flagged"], i["objects"]) for i in items][1:] == [
        ("accepted", False, 2),
        ("skipped", True, 0),
    ]


FOREIGN = {
    "info": {"year": 2020},
    "licenses": [{"id": 1}],
    "images": [
        {
            "id": 7,
            "file_name": "a.png",
            "height": 120,
            "width": 200,
            "subject": "s1",
            "source": {"file": "raw/a.png"},
        },
        {"id": 9, "file_name": "elsewhere.png", "height": 5, "width": 5},
    ],
    "annotations": [
        {
            "id": 40,
            "image_id": 7,
            "category_id": 3,
            "segmentation": [[10, 10, 50, 10, 50, 40]],
            "bbox": [10, 10, 40, 30],
            "area": 600,
            "iscrowd": 0,
            "reader": "A",
        },
        {
            "id": 41,
            "image_id": 7,
            "category_id": 3,
            "segmentation": [[60, 60, 90, 60, 90, 90]],
            "bbox": [60, 60, 30, 30],
            "area": 450,
            "iscrowd": 0,
            "reader": "B",
        },
        {"id": 42, "image_id": 7, "category_id": 3, "segmentation": [[1, 2]], "bbox": [0, 0, 1, 1]},
        {
            "id": 43,
            "image_id": 9,
            "category_id": 3,
            "segmentation": [[1, 1, 4, 1, 4, 4]],
            "bbox": [1, 1, 3, 3],
        },
    ],
    "categories": [{"id": 3, "name": "nodule", "supercategory": "thyroid"}],
}


def test_a_coco_file_is_corrected_and_what_it_says_besides_is_kept(start, folder):
    (folder / "given.json").write_text(json.dumps(FOREIGN))
    session = start([folder / "given.json"], classes=["cyst"])
    assert [label["name"] for label in session.classes()] == ["nodule", "cyst"]
    hand = Hand(session)
    assert [entry["source"] for entry in hand.objects] == ["imported"] * 2
    assert [entry["id"] for entry in hand.objects] == [40, 41]
    hand.do({"kind": "brush", "object": 41, "points": [[75, 65]], "radius": 12, "erase": False})
    session.close()
    after = json.loads((folder / "labels.json").read_text())
    assert {k: after[k] for k in ("info", "licenses")} == {k: FOREIGN[k] for k in ("info", "licenses")}
    assert after["images"][0] == {**FOREIGN["images"][0], "state": "todo", "flagged": False}
    by_id = {entry["id"]: entry for entry in after["annotations"]}
    for kept in (0, 2, 3):
        assert by_id[FOREIGN["annotations"][kept]["id"]] == FOREIGN["annotations"][kept]
    assert by_id[41]["reader"] == "B" and by_id[41]["source"] == "brush" and by_id[41]["area"] > 450
    assert after["categories"][0]["supercategory"] == "thyroid"
    assert json.loads((folder / "given.json").read_text()) == FOREIGN


def test_classes_are_renamed_and_added_and_those_in_use_stay(start):
    session = start()
    Hand(session).do({"kind": "add", "class": 1, "box": BOX})
    names = [{"name": "Zyste", "color": "#112233"}, {"name": "vessel", "color": "#445566"}]
    more = [*names, {"name": "<img src=x onerror=alert(1)>", "color": "#abcdef"}]
    assert session.set_classes(more) == more
    assert session.set_classes(names) == names
    for wrong, message in [
        (names[:1], "has objects"),
        (names[1:], "only the last"),
        ([], "list of 1"),
        ([names[0], names[0]], "same name"),
        ([{"name": "", "color": "#112233"}], "a name"),
        ([{"name": "x", "color": "red"}], "#rrggbb"),
    ]:
        with pytest.raises(UltraSamError, match=message):
            session.set_classes(wrong)
    end(session)
    assert start(classes=[]).classes() == names


def test_two_tabs_lose_no_update(start):
    session = start()
    first, second = Hand(session), Hand(session)
    first.do(EDITS[7])
    with pytest.raises(StaleError) as stale:
        second.do(EDITS[7])
    assert stale.value.frame == first.frame

    def draw(number):
        hand = Hand(session, item=1)
        while True:
            try:
                return hand.do(EDITS[7] if number % 4 else {"kind": "add", "class": 0, "box": BOX})
            except StaleError as error:
                hand.frame = error.frame

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(draw, range(12)))
    frame = session.frame(1)
    assert frame["revision"] == 12 and len({entry["id"] for entry in frame["objects"]}) == 12


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        ({"kind": "fly"}, "an edit is one of"),
        ({"kind": "add", "class": 2, "box": BOX}, "no class 2"),
        ({"kind": "add", "class": True, "box": BOX}, "whole number"),
        ({"kind": "add", "class": 0}, "nothing says where it is: click inside of it"),
        ({"kind": "add", "class": 0, "points": [[5, 5]], "labels": [0]}, "points outside of it alone"),
        ({"kind": "add", "class": 0, "points": [[5, 500]], "labels": [1]}, "outside the image"),
        ({"kind": "add", "class": 0, "points": [[5, float("nan")]], "labels": [1]}, "numbers"),
        ({"kind": "add", "class": 0, "points": [[5, 10**400]], "labels": [1]}, "numbers"),
        ({"kind": "add", "class": 0, "points": [[5, 5]], "labels": []}, "1 points and 0 labels"),
        ({"kind": "add", "class": 0, "points": "ab", "labels": [1]}, "list"),
        ({"kind": "add", "class": 0, "box": [5, 5, 5.5, 9]}, "less than a pixel"),
        ({"kind": "add", "class": 0, "box": [300, 5, 400, 9]}, "less than a pixel"),
        ({"kind": "prompt", "object": 99, "box": BOX}, "no object 99"),
        ({"kind": "candidate", "object": 99, "candidate": 0}, "no object 99"),
        ({"kind": "brush", "object": None, "class": 0, "points": [[1, 1]], "radius": 1e9}, "radius"),
        ({"kind": "brush", "object": None, "class": 0, "points": [[1e8, 1]], "radius": 1}, "far outside"),
        (
            {"kind": "brush", "object": None, "class": 0, "points": [[1, 1]], "radius": 1, "erase": True},
            "eraser",
        ),
        ([], "an edit is one of"),
    ],
)
def test_edits_that_make_no_sense_change_nothing(start, edit, message):
    session = start()
    with pytest.raises((PromptError, DataError), match=message):
        session.edit(0, 0, 0, edit)
    assert session.frame(0)["revision"] == 0


def test_a_brush_covers_the_pixels_whose_centers_it_covers(start):
    hand = Hand(start())
    stroke = np.array([[30.0, 20.0], [90.5, 70.0], [150.0, 60.2]])
    (entry,) = hand.do({**EDITS[7], "points": stroke.tolist(), "radius": 8})["objects"]
    y, x = np.mgrid[: SIZE[0], : SIZE[1]] + 0.5
    distance = np.full(SIZE, np.inf)
    for a, b in itertools.pairwise(stroke):
        share = np.clip(((x - a[0]) * (b - a)[0] + (y - a[1]) * (b - a)[1]) / ((b - a) ** 2).sum(), 0, 1)
        away = np.hypot(x - a[0] - share * (b - a)[0], y - a[1] - share * (b - a)[1])
        distance = np.minimum(distance, away)
    mask = pixels(entry)
    # But for OpenCV's rounding of half a pixel at the edge.
    assert mask[distance < 7.3].all() and not mask[distance > 8.7].any()
    assert (
        hand.do({**EDITS[5], "object": entry["id"], "points": stroke.tolist(), "radius": 12})["objects"] == []
    )


def test_what_was_painted_and_erased_outlasts_new_prompts(start, folder, predictor):
    encoded = predictor.encode(images.read_image(folder / "a.png"))
    brush = {"kind": "brush", "object": None, "class": 0, "points": [[10, 10], [50, 12]], "radius": 4}
    wipe = {**brush, "points": [[85, 55], [95, 65]], "radius": 6}
    other = Hand(start(), 1)
    painted, erased = (pixels(other.do(one)["objects"][-1]) for one in (brush, wipe))
    hand = Hand(other.session)
    number = hand.do({"kind": "add", "class": 0, "box": BOX})["objects"][0]["id"]
    hand.do({**brush, "object": number})
    before = hand.do({**wipe, "object": number, "erase": True})["objects"][0]
    corrected = {"kind": "prompt", "object": number, "box": BOX, "points": [[70, 40]], "labels": [0]}
    (after,) = hand.do(corrected)["objects"]
    found = encoded.segment([ObjectPrompt([[70, 40]], [0], BOX)]).masks[0]
    assert np.array_equal(pixels(after), (found | painted) & ~erased) and (painted & ~found).any()
    assert (after["source"], after["iou"], after["area"]) == ("brush", None, pixels(after).sum())
    # All of it is undone, redone and there again after a crash.
    assert hand.undo()["objects"][0]["mask"] == before["mask"]
    assert hand.undo()["objects"][0]["mask"] != before["mask"]
    hand.redo()
    end(hand.session)
    hand = Hand(start())
    assert hand.redo()["objects"][0]["mask"] == after["mask"]
    # A single click has three masks, each with the strokes; the later of two strokes counts.
    hand.do({**brush, "object": number, "erase": True})
    (clicked,) = hand.do({**corrected, "box": None, "points": [[90, 60]], "labels": [1]})["objects"]
    three = encoded.answer([ObjectPrompt([[90, 60]], [1])], multimask=True).masks[0]
    for candidate, mask in zip(clicked["candidates"], masks.draw(three, SIZE), strict=True):
        expected = mask & ~erased & ~painted
        assert np.array_equal(coco_mask.decode(candidate["mask"]).astype(bool), expected)
    (other,) = hand.do({"kind": "candidate", "object": number, "candidate": 0})["objects"]
    assert other["mask"] == clicked["candidates"][0]["mask"] and other["source"] == "brush"


def test_labels_changed_by_another_program_are_not_overwritten(start, folder):
    session = start()
    Hand(session).do(EDITS[7])
    session.save()
    out = folder / "labels.json"
    theirs = {**json.loads(out.read_text()), "info": "theirs", "annotations": []}
    out.write_text(json.dumps(theirs))
    Hand(session, 1).do(EDITS[7])
    with pytest.raises(UltraSamError, match="another program"):
        session.save()
    assert session.describe()["conflict"] and json.loads(out.read_text()) == theirs
    beside = session.resolve("mine")
    assert json.loads(beside.read_text()) == theirs and beside.name == "labels.theirs.json"
    assert len(json.loads(out.read_text())["annotations"]) == 2 and session.describe()["conflict"] is None
    out.write_text(json.dumps(theirs))
    Hand(session, 2).do(EDITS[7])
    with pytest.raises(UltraSamError, match="another program"):
        session.save()
    beside = session.resolve("theirs")
    assert len(json.loads(beside.read_text())["annotations"]) == 3
    assert json.loads(out.read_text())["info"] == "theirs" and session.frame(0)["objects"] == []
    # A tab with the old state is told so, and one that still asks has nothing to choose.
    with pytest.raises(StaleError):
        session.edit(0, 0, 1, EDITS[7])
    Hand(session).do(EDITS[7])
    with pytest.raises(DataError, match="another page"):
        session.resolve("theirs")
    assert session.frame(0)["can_undo"]


@pytest.mark.parametrize("unsaved", [False, True])
def test_labels_changed_between_sessions(start, folder, unsaved):
    session = start()
    Hand(session).do(EDITS[7])
    session.save()
    if unsaved:
        Hand(session, 1).do(EDITS[7])
    end(session)
    out = folder / "labels.json"
    theirs = {**json.loads(out.read_text()), "annotations": []}
    out.write_text(json.dumps(theirs))
    session = start()
    if unsaved:
        assert session.describe()["conflict"] and len(session.frame(1)["objects"]) == 1
        with pytest.raises(UltraSamError, match="another program"):
            session.save()
        assert json.loads(out.read_text()) == theirs
    else:
        assert "another program" in session.describe()["notices"][0] and session.frame(0)["objects"] == []


def test_a_kill_between_the_two_files_is_no_foreign_change(start, folder):
    session = start()
    Hand(session).do(EDITS[7])
    session.save()
    end(session)
    path = folder / "labels.json.journal"
    lines = path.read_bytes().splitlines(keepends=True)
    assert b'"saved"' in lines[-1]
    # Killed before the last record, and within it.
    for tail in (b"", lines[-1][:20]):
        path.write_bytes(b"".join(lines[:-1]) + tail)
        session = start()
        assert session.describe()["conflict"] is None and len(session.frame(0)["objects"]) == 1
        end(session)


def test_a_damaged_journal_is_used_as_far_as_it_goes(start, folder):
    hand = Hand(start())
    hand.do(EDITS[7])
    Hand(hand.session, 1).do(EDITS[7])
    end(hand.session)
    path = folder / "labels.json.journal"
    path.write_bytes(path.read_bytes().replace(b'"image": "a.png"', b'"image": "?.png"'))
    session = start()
    assert "1 records" in session.describe()["notices"][0] and len(session.frame(1)["objects"]) == 1
    assert (folder / "labels.json.journal.damaged").exists()


def test_labels_of_other_images_are_refused(start, folder, tmp_path):
    start().close()
    other = make_images(tmp_path / "other", 5)
    for name in "abc":
        (other / f"{name}.png").unlink()
    with pytest.raises(DataError, match="labels of other images"):
        start([other], out=folder / "labels.json")
    hand = Hand(start())
    hand.do(EDITS[7])
    hand.session.close()
    cv2.imwrite(str(folder / "a.png"), np.zeros((50, 60, 3), np.uint8))
    session = start()
    with pytest.raises(DataError, match="another size"):
        session.frame(0)
    end(session)
    (folder / "labels.json.journal").unlink()
    with pytest.raises(DataError, match=r"200 x 120 pixels, the file has 60 x 50"):
        start([folder]).frame(0)


def test_images_that_vanish_or_are_broken(start, folder):
    (folder / "b.png").write_bytes(b"no image")
    session = start()
    with pytest.raises(DataError, match=r"b\.png"):
        session.frame(1)
    hand = Hand(session)
    hand.do(EDITS[7])
    (folder / "a.png").unlink()
    with pytest.raises(DataError, match="can't be read any more"):
        hand.do(EDITS[7])
    assert [bool(item["error"]) for item in session.describe()["items"]] == [True, True, False]
    session.close()
    assert len(json.loads((folder / "labels.json").read_text())["annotations"]) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_a_name_that_is_no_text_is_listed_and_the_others_go_on(start, folder):
    shutil.copyfile(folder / "a.png", os.fsencode(folder) + b"/Gr\xf6\xdfe.png")
    session = start()
    told = {
        item["name"]: item
        for item in json.loads(json.dumps(session.describe(), ensure_ascii=False).encode())["items"]
    }
    assert "rename" in told["Gr\\udcf6\\udcdfe.png"]["error"] and told["a.png"]["error"] is None
    with pytest.raises(DataError, match="not UTF-8"):
        session.frame(told["Gr\\udcf6\\udcdfe.png"]["id"])
    Hand(session, told["a.png"]["id"]).do({"kind": "add", "class": 0, "box": BOX})
    session.prepare(0)
    session.close()
    names = [image["file_name"] for image in coco.read(folder / "labels.json").content["images"]]
    assert names == ["a.png", "b.png", "c.png"]


@pytest.mark.parametrize("name", ["../made.png", "made.txt", "../{}/../made.png"])
def test_labels_of_a_stranger_make_no_file_elsewhere(start, folder, name):
    make_clip(folder / "clip.avi")
    name = name.format(folder.name)
    image = {"id": 1, "file_name": name, "source": "clip.avi", "frame": 2, "width": 128, "height": 96}
    box = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [9, 9, 9, 9], "area": 81, "iscrowd": 0}
    box["segmentation"] = [[9, 9, 18, 9, 18, 18, 9, 18]]
    given = {"images": [image], "annotations": [box], "categories": [{"id": 1, "name": "cyst"}]}
    (folder / "given.json").write_text(json.dumps(given))
    session = start([folder / "given.json"], images=folder)
    session.set_state(0, "accepted")
    with pytest.raises(DataError, match="frame 2 of clip.avi"):
        session.save()
    assert not (folder / name).exists() and "your edits are kept" in session.describe()["problem"]


def test_what_can_not_be_begun(start, folder, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds no image"):
        start([tmp_path / "empty"])
    with pytest.raises(DataError, match="say what to annotate"):
        start([])
    with pytest.raises(UltraSamError, match="choose another --out"):
        start(out=folder / "a.png" / "labels.json")
    start()
    with pytest.raises(UltraSamError, match="another 'ultrasam annotate' works"):
        start()


def test_a_full_disk_changes_nothing_and_loses_nothing(start, folder):
    resource = pytest.importorskip("resource", reason="this system limits no file sizes")
    hand = Hand(start())
    hand.do(EDITS[7])
    before = hand.frame
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(
        resource.RLIMIT_FSIZE, ((folder / "labels.json.journal").stat().st_size + 40, limits[1])
    )
    try:
        with pytest.raises(UltraSamError, match="nothing was changed: cannot write"):
            hand.do(EDITS[7])
        with pytest.raises(UltraSamError, match="cannot write"):
            hand.session.save()
        assert "your edits are kept" in hand.session.describe()["problem"]
        assert hand.session.frame(0) == before
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    hand.do(EDITS[7])
    end(hand.session)
    assert len(start().frame(0)["objects"]) == 2


def test_the_next_image_is_encoded_while_this_one_is_looked_at(start, predictor, monkeypatch):
    encoded = []
    kind = type(predictor.model)
    encode = kind.encode_images
    monkeypatch.setattr(
        kind,
        "encode_images",
        lambda model, x: encoded.append(threading.get_ident()) or encode(model, x),
    )
    session = start()
    session.prepare(0)
    session.assistant.idle()
    assert len(encoded) == 2 and threading.get_ident() not in encoded
    for item in (0, 1):
        session.encoded(item, 0)
    assert len(encoded) == 2


def test_a_thousand_images_are_listed_without_decoding(start, tmp_path, monkeypatch):
    whole = make_images(tmp_path / "many", 1)
    data = (whole / "a.png").read_bytes()
    for number in range(1000):
        (whole / f"{number:04d}.png").write_bytes(data)
    monkeypatch.setattr(cv2, "imdecode", None)
    session = start([whole])
    items = session.describe()["items"]
    assert len(items) == 1001 and (items[5]["width"], items[5]["height"]) == (200, 120)
    session.saver.now()


def test_sessions_take_weights(tiny_weights, folder):
    with Session([folder], model=tiny_weights, cache=folder / "cache") as session:
        assert Hand(session).do({"kind": "add", "class": 0, "box": BOX})["objects"][0]["area"] > 0
    assert len(list((folder / "cache").glob("*/*.safetensors"))) == 1


def test_a_dicom_cine_is_measured_and_its_frames_become_files(start, tmp_path):
    """By hand: a brush of radius 10 pixels, at 0.5 x 0.25 mm a pixel, is an ellipse of 10 x 5 mm."""
    pydicom = pytest.importorskip("pydicom", reason="pydicom (extra 'dicom') is not installed")
    write_scan(tmp_path / "cine.dcm", np.full((2, 100, 120, 3), 90, np.uint8))
    cine = pydicom.dcmread(tmp_path / "cine.dcm")
    del cine.SequenceOfUltrasoundRegions
    cine.PixelSpacing = [0.25, 0.5]
    cine.save_as(tmp_path / "cine.dcm")
    session = start([tmp_path / "cine.dcm"])
    item = session.describe()["items"][0]
    assert (item["frames"], item["width"], item["height"], item["spacing"]) == (2, 120, 100, [0.5, 0.25])
    hand = Hand(session, frame=1)
    (entry,) = hand.do({**EDITS[7], "points": [[60, 50]], "radius": 10})["objects"]
    assert entry["measured"]["area_mm2"] == pytest.approx(pixels(entry).sum() * 0.125, abs=1e-3)
    assert entry["measured"]["long_mm"] == pytest.approx(10, rel=0.06)
    assert entry["measured"]["short_mm"] == pytest.approx(5, rel=0.1)
    session.close()
    labels = tmp_path / "labels.json"
    (image,) = json.loads(labels.read_text())["images"]
    assert (image["source"], image["frame"]) == ("cine.dcm", 1)
    assert np.array_equal(images.read_image(tmp_path / image["file_name"]), session.image(0, 1))
    assert main(["data", "check", str(labels), "--images", str(tmp_path)]) == 0
    assert shown(Hand(start([tmp_path / "cine.dcm"]), frame=1).frame) == shown(hand.frame)
