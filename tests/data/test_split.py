"""One split for everybody: the demo, fine-tuning, the files of a command, and the converters."""

import json
import logging
from pathlib import Path

import cv2
import numpy as np
import pytest
from ultrasam.converters.engine.split import assign_cases, fraction
from ultrasam.converters.engine.types import Case

from ultrasam.cli.main import main
from ultrasam.data import coco
from ultrasam.data.split import TEST_SHARE, VAL_SHARE, load_split, split_file
from ultrasam.demo import demo
from ultrasam.errors import DataError
from ultrasam.finetune import finetune

SHARES = {"test": TEST_SHARE, "val": VAL_SHARE}


def make(folder: Path, images: int = 40, **fields) -> Path:
    """A COCO file of two images a subject; ``fields`` are added to each, from its number."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    entries = []
    for number in range(images):
        cv2.imwrite(str(folder / f"images/{number:02d}.png"), np.zeros((8, 9), np.uint8))
        entry = {"id": 7 * number, "file_name": f"{number:02d}.png", "height": 8, "width": 9}
        entry["subject"] = f"p{number // 2}"
        entry.update({name: value(number) for name, value in fields.items()})
        entries.append({name: value for name, value in entry.items() if value is not None})
    annotations = [
        {
            "id": entry["id"] + 1,
            "image_id": entry["id"],
            "category_id": 1 + entry["id"] % 2,
            "bbox": [1, 1, 4, 4],
            "segmentation": [[1, 1, 5, 1, 5, 5, 1, 5]],
        }
        for entry in entries
    ]
    categories = [{"id": 1, "name": "nodule"}, {"id": 2, "name": "cyst"}]
    content = {"info": {"by": "us"}, "images": entries, "annotations": annotations, "categories": categories}
    path = folder / "mine.json"
    path.write_text(json.dumps(content))
    return path


def names(source):
    if isinstance(source, Path):
        source = json.loads(source.read_text())["images"]
    return {i["file_name"] if isinstance(i, dict) else i.path.name for i in source}


def of_the_demo(path: Path, out: Path) -> dict[str, set[str]]:
    data = demo._own_data(str(path), demo.Settings(images=str(path.parent / "images")), out)
    return {side: names(getattr(data, side)) for side in ("train", "val", "test")}


def of_finetuning(path: Path, seed: int = 0, **options) -> dict[str, set[str]]:
    recipe = finetune.Recipe("decoder", 1, 1, 1e-3, seed=seed)
    settings = finetune.Settings(str(path), str(path.parent / "images"), "small", recipe, **options)
    return {side: names(images) for side, images in finetune.split(settings).sides.items()}


def of_the_command(path: Path, out: Path, *shares) -> dict[str, set[str]]:
    assert main(["data", "split", str(path), "--out", str(out), *map(str, shares)]) == 0
    return {file.stem: names(file) for file in out.glob("*.json")}


PLAIN = {
    "with subjects": {},
    "some without": {"subject": lambda n: None if n % 3 else f"p{n // 6}"},
    "without subjects": {"subject": lambda n: None},
    "of two data sets": {"dataset": lambda n: "ab"[n // 20], "subject": lambda n: n % 20 // 2},
}
OWN = {
    "all sides": lambda n: ("train", "train", "train", "val", "test")[n // 2 % 5],
    "no val": lambda n: ("train", None, "train", "test")[n // 2 % 4],
    "no test": lambda n: ("train", "train", None, "val")[n // 2 % 4],
    "some held out": lambda n: "held_out" if n in (9, 12) else ("train", "test")[n // 2 % 3 == 0],
}


@pytest.mark.parametrize("fields", PLAIN.values(), ids=PLAIN)
def test_the_same_images_are_held_out_by_all(tmp_path, fields):
    path = make(tmp_path, **fields)
    shown = of_the_demo(path, tmp_path / "demo")
    tuned = of_finetuning(path)
    files = of_the_command(path, tmp_path / "files", "--test", TEST_SHARE, "--val", VAL_SHARE)
    assert tuned["test"] == shown["test"] == files["test"] and files == shown
    # Fine-tuning validates on nothing, and the command may call its one side val.
    assert tuned["train"] == shown["train"] | shown["val"]
    assert of_the_command(path, tmp_path / "val", "--val", TEST_SHARE)["val"] == tuned["test"]
    assert sum(map(len, shown.values())) == 40


@pytest.mark.parametrize("own", OWN.values(), ids=OWN)
@pytest.mark.parametrize("fields", [{}, {"subject": lambda n: None}], ids=["subjects", "no subjects"])
def test_a_split_of_its_own_is_kept_by_all(tmp_path, own, fields):
    path = make(tmp_path, split=own, **fields)
    shown = of_the_demo(path, tmp_path / "demo")
    tuned = of_finetuning(path)
    files = of_the_command(path, tmp_path / "files", "--test", TEST_SHARE, "--val", VAL_SHARE)
    given = {side: {f"{n:02d}.png" for n in range(40) if own(n) == side} for side in ("val", "test")}
    for side, images in given.items():
        # What is given is what comes out; a side that is not given comes from those that train.
        assert shown[side] == images if images else shown[side] and not shown[side] & given["test"]
    assert tuned["test"] == shown["test"] == files["test"] and files == shown
    assert not tuned["train"] & (given["val"] | tuned["test"])
    out = {f"{n:02d}.png" for n in range(40) if own(n) == "held_out"}
    assert not any(out & images for side, images in (*shown.items(), *tuned.items()) if side != "held_out")


def test_the_share_is_exact_and_of_those_with_the_lowest_hash(tmp_path):
    path = make(tmp_path, images=24)
    found = load_split(path, tmp_path / "images", {"test": 0.25})
    assert "train: 18 images of 9 subjects; test: 6 images of 3 subjects" in found.summary()
    ranked = sorted({f"p{n}" for n in range(12)}, key=lambda name: fraction("us-43d/", name))
    assert {image.entry["subject"] for image in found.sides["test"]} == set(ranked[:3])
    both = load_split(path, tmp_path / "images", {"val": 0.25, "test": 0.25})
    assert {image.entry["subject"] for image in both.sides["test"]} == set(ranked[:3])
    assert {image.entry["subject"] for image in both.sides["val"]} == set(ranked[3:6])


def test_the_subjects_of_a_converted_data_set_are_drawn_as_it_draws_them():
    cases = [Case(f"{n}", subject=f"p{n // 2}") for n in range(400)]
    val = {key for key, side in assign_cases(cases, "busi", val=0.1).items() if side == "val"}
    assert val == {f"{n}" for n in range(400) if fraction("us-43d/busi", f"p{n // 2}") < 0.1}


def test_no_option_of_training_changes_it(tmp_path):
    path = make(tmp_path)
    first = of_finetuning(path)
    assert of_finetuning(path, seed=5) == first
    nodules = of_finetuning(path, categories=["nodule"])
    assert all(nodules[side] < first[side] for side in first)


def test_images_without_a_subject_are_counted_in_a_warning(tmp_path, caplog):
    path = make(tmp_path, subject=lambda n: (None, "", "p0")[min(n, 2)])
    with caplog.at_level(logging.WARNING):
        split_file(path, tmp_path / "out", {"val": 0.1})
    assert "2 of 40 images name no subject" in caplog.text
    caplog.clear()
    make(tmp_path, subject=lambda n: n)
    split_file(path, tmp_path / "out", {"val": 0.1})
    assert not caplog.records


def test_copies_of_an_image_stay_together(tmp_path):
    """Files that list an image several times, as ``ultrasam data join --repeat`` writes them."""
    path = make(tmp_path, subject=lambda n: None)
    content = json.loads(path.read_text())
    content["images"] += [{**image, "id": image["id"] + 1} for image in content["images"]]
    path.write_text(json.dumps(content))
    parts = split_file(path, tmp_path / "out", {"val": 0.3, "test": 0.3})
    assert sum(len(names(part["images"])) for part in parts.values()) == 40


def test_what_is_written_holds_what_is_used_and_loads(tmp_path):
    path = make(tmp_path)
    found = load_split(path, tmp_path / "images", SHARES, categories=["cyst"])
    for side, images in found.sides.items():
        written = json.loads(found.write(side, tmp_path / f"out/{side}.json").read_text())
        assert written["info"] == {"by": "us"} and len(written["images"]) == len(images)
        assert {a["category_id"] for a in written["annotations"]} == {2}
        again = coco.load(tmp_path / f"out/{side}.json", tmp_path / "images")
        assert [image.id for image in again.images] == [image.id for image in images]


@pytest.mark.parametrize(
    ("fields", "images", "words"),
    [
        ({"split": lambda n: "test" if n < 3 else "train"}, 40, r"1 subjects on both sides, p1 for one"),
        ({"split": lambda n: "val" if n < 4 else "test" if n < 7 else None}, 40, r"1 subjects .* p3 for one"),
        ({"split": lambda n: "dev" if n == 3 else None}, 40, r"image or case 21: unknown split 'dev'"),
        ({"split": lambda n: "test"}, 40, "nothing is left for train"),
        ({}, 2, "2 images of a single subject are too few to split: nothing is left for test and val"),
        ({}, 4, "4 images of 2 subjects are too few to split: nothing is left for val"),
    ],
)
def test_what_cannot_be_split_is_said_with_the_file(tmp_path, fields, images, words):
    path = make(tmp_path, images, **fields)
    with pytest.raises(DataError, match=rf"mine\.json: .*{words}"):
        load_split(path, tmp_path / "images", SHARES)
    with pytest.raises(DataError, match=rf"mine\.json: .*{words}"):
        split_file(path, tmp_path / "out", SHARES)


@pytest.mark.parametrize("shares", [("--val", 1), ("--val", -0.1), ("--val", 0.5, "--test", 0.5)])
def test_shares_that_leave_nothing(tmp_path, capsys, shares):
    path = make(tmp_path)
    assert main(["data", "split", str(path), "--out", str(tmp_path / "out"), *map(str, shares)]) == 2
    assert "less than 1 together" in capsys.readouterr().err
