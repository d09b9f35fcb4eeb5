"""The engine on data sets made on the spot: bytes, resuming, splits, reports."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from pycocotools.coco import COCO
from ultrasam.converters import Case, ConverterError, Frame, Object, convert
from ultrasam.converters.engine.coco import read_json
from ultrasam.converters.engine.types import Instances

from tests.kit.toy import COUNT, blobs, slow, toy


def tree(folder: Path) -> dict[str, bytes]:
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()
    }


def outputs(folder: Path) -> dict[str, bytes]:
    return {name: data for name, data in tree(folder).items() if not name.endswith((".journal", ".lock"))}


def test_every_object_decodes_to_its_component(tmp_path):
    report = convert(toy(), None, tmp_path)
    assert (report.images, report.annotations) == (COUNT - 2, 2 * (COUNT - 2))
    assert report.skips == {"left out on purpose": 1}
    assert [f["reason"] for f in report.failures] == ["broken on purpose"]
    assert not report.ok
    coco = COCO(str(tmp_path / "toy/annotations/all.json"))
    for image in coco.dataset["images"]:
        truth_image, truth = blobs(int(image["source"]["file"]))
        written = cv2.imread(str(tmp_path / "toy/images" / image["file_name"]), cv2.IMREAD_UNCHANGED)
        np.testing.assert_array_equal(written, truth_image)
        found = [coco.annToMask(a) for a in coco.imgToAnns[image["id"]]]
        assert len(found) == 2
        np.testing.assert_array_equal(sum(found), truth)
        for annotation, mask in zip(coco.imgToAnns[image["id"]], found, strict=True):
            assert annotation["area"] == mask.sum()
            ys, xs = np.nonzero(mask)
            x, y = xs.min(), ys.min()
            assert annotation["bbox"] == [x, y, xs.max() + 1 - x, ys.max() + 1 - y]


def test_files_of_the_splits_partition_all_and_keep_ids(tmp_path):
    convert(toy(), None, tmp_path)
    folder = tmp_path / "toy/annotations"
    assert sorted(p.name for p in folder.iterdir()) == sorted(
        f"{s}{t}.json" for s in ("all", "train", "val") for t in ("", ".agnostic")
    )
    whole, train, val = (read_json(folder / f"{s}.json") for s in ("all", "train", "val"))
    by_id = {i["id"]: i for i in whole["images"]}
    parts = [i for part in (train, val) for i in part["images"]]
    assert sorted(i["id"] for i in parts) == sorted(by_id)
    assert all(by_id[i["id"]] == i for i in parts)
    subjects = [{i["subject"] for i in part["images"]} for part in (train, val)]
    assert subjects[0] and subjects[1] and not subjects[0] & subjects[1]
    twin = read_json(folder / "train.agnostic.json")
    assert [c["name"] for c in twin["categories"]] == ["object"]
    assert {a["origin"] for a in twin["annotations"]} == {"lesion"}


@pytest.mark.parametrize("workers", [2, 4])
def test_same_bytes_for_any_number_of_workers(tmp_path, workers):
    convert(toy(), None, tmp_path / "one")
    convert(toy(), None, tmp_path / "many", workers=workers)
    assert outputs(tmp_path / "one") == outputs(tmp_path / "many")


def test_second_run_takes_everything_from_the_first(tmp_path):
    convert(toy(), None, tmp_path)
    before = outputs(tmp_path)
    report = convert(toy(), None, tmp_path)
    assert report.resumed == COUNT - 1  # the failed case is tried again
    assert outputs(tmp_path) == before
    assert convert(toy(version="2"), None, tmp_path).resumed == 0


def test_lost_image_is_made_again(tmp_path):
    convert(toy(), None, tmp_path)
    before = outputs(tmp_path)
    (tmp_path / "toy/images/003.png").write_bytes(b"")
    for stray in (
        "images/stray.png",
        "images/.004.png.7.7.part",
        "annotations/.all.json.7.7.part",
        ".report.json.7.7.part",
    ):
        (tmp_path / "toy" / stray).write_bytes(b"x")
    assert convert(toy(), None, tmp_path).resumed == COUNT - 2
    assert outputs(tmp_path) == before


def test_sigkill_at_ten_random_moments(tmp_path):
    convert(toy(read=slow), None, tmp_path / "whole")
    script = (
        "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[1]); import tests.kit.toy as t\n"
        "from ultrasam.converters import convert\n"
        "convert(t.toy(read=t.slow), None, Path(sys.argv[2]))\n"
    )
    rng = random.Random(3)
    start = time.monotonic()
    arguments = [sys.executable, "-c", script, str(Path(__file__).parents[2]), str(tmp_path / "killed")]
    subprocess.run(arguments, check=True)
    whole_run = time.monotonic() - start
    for name in ("images", "annotations"):
        for path in (tmp_path / "killed/toy" / name).iterdir():
            path.unlink()
    (tmp_path / "killed/toy/.journal").unlink()
    for _ in range(10):
        process = subprocess.Popen(arguments)
        time.sleep(rng.uniform(0.5, 1.0) * whole_run)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        for path in (tmp_path / "killed/toy/annotations").iterdir():
            if not path.name.startswith("."):
                json.loads(path.read_text())
    convert(toy(read=slow), None, tmp_path / "killed")
    assert outputs(tmp_path / "killed") == outputs(tmp_path / "whole")


def test_strict_stops_at_the_first_failure(tmp_path):
    with pytest.raises(ConverterError, match="006: broken on purpose"):
        convert(toy(), None, tmp_path, strict=True)


def test_official_test_subjects_never_train(tmp_path):
    def official(root: Path):
        for i in range(COUNT):
            split = {0: "test", 4: "test", 9: "val"}.get(i, "train")
            yield Case(f"{i:03d}", subject=f"s{i // 3}", data=i, split=split)

    report = convert(toy(cases=official), None, tmp_path)
    sides = {
        i["source"]["file"]: i["split"] for i in read_json(tmp_path / "toy/annotations/all.json")["images"]
    }
    assert [sides[f"{i:03d}"] for i in (0, 1, 2, 3, 4)] == [
        "test",
        "held_out",
        "held_out",
        "held_out",
        "test",
    ]
    assert [sides[f"{i:03d}"] for i in (9, 10, 11)] == ["val"] * 3
    assert report.by_split["held_out"] == 3


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (Frame(np.zeros((4, 4), np.uint8), [Object("lesion", np.ones((4, 5), bool))]), "mask of \\(5, 4\\)"),
        (
            Frame(np.zeros((4, 4), np.uint8), [Object("other", np.ones((4, 4), bool))]),
            "'other' is not declared",
        ),
        (Frame(np.zeros((4, 4)), [Object("lesion", np.ones((4, 4), bool))]), "uint8"),
    ],
)
def test_what_a_data_set_file_gets_wrong_is_said(tmp_path, frame, reason):
    with pytest.raises(ConverterError, match=reason):
        convert(toy(read=lambda case: [frame]), None, tmp_path)


def test_specks_are_dropped_and_counted(tmp_path):
    mask = np.zeros((60, 60), bool)
    mask[:40, :40] = True
    mask[50, 50] = True
    mask[50:52, 10:20] = True
    frame = Frame(np.zeros((60, 60), np.uint8), [Object("lesion", mask)])
    make = {"read": lambda case: [frame], "cases": lambda root: [Case("a")]}
    report = convert(toy(**make), None, tmp_path)
    assert (report.annotations, report.notes) == (2, {"speck: lesion": 1})
    report = convert(toy(**make, instances=Instances(min_share=0.05)), None, tmp_path)
    assert (report.annotations, report.notes) == (1, {"speck: lesion": 2})
    report = convert(toy(**make, instances=Instances(components=False)), None, tmp_path)
    assert report.annotations == 1


def test_unwritable_output_says_so(tmp_path):
    (tmp_path / "toy").write_text("a file where the folder belongs")
    with pytest.raises(ConverterError, match="cannot write"):
        convert(toy(), None, tmp_path)


def test_two_cases_of_one_key_are_refused(tmp_path):
    with pytest.raises(ConverterError, match="two cases have the key"):
        convert(toy(cases=lambda root: [Case("a"), Case("a")]), None, tmp_path)
