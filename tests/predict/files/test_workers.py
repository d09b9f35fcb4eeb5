"""Runs over files by several workers: what they write, and what they do when something is wrong."""

import json
import threading
import time

import cv2
import numpy as np
import pytest

from tests.kit.fuzz_files import dicom_bytes
from tests.kit.models import tiny
from tests.kit.pictures import noise, waves
from ultrasam.cli.main import main
from ultrasam.errors import OutputError, PromptError
from ultrasam.predict.files import file_records, sources
from ultrasam.predict.files.asked import Asked
from ultrasam.predict.files.file_run import FileRun, Options
from ultrasam.predict.files.measures import Measures
from ultrasam.predict.object_prompt import ObjectPrompt
from ultrasam.predict.predictor import Predictor

NAMES = [f"{number:02d}" for number in range(7)]


@pytest.fixture
def folder(tmp_path):
    """Pictures, one of which is none, and a clip."""
    (tmp_path / "in").mkdir()
    for number, name in enumerate(NAMES):
        picture = waves(50, 70, seed=number) if number % 2 else noise(48, 64, seed=number)
        cv2.imwrite(str(tmp_path / "in" / f"{name}.png"), picture)
    (tmp_path / "in/02.png").write_bytes(b"nothing")
    clip = np.stack([noise(48, 64, seed=number)[..., 0] for number in range(3)])
    (tmp_path / "in/clip.dcm").write_bytes(dicom_bytes(clip, jpegs=True))
    return tmp_path / "in"


def asked_of(name):
    """Other objects for each picture; of one, none."""
    if name == "04.png":
        return Asked([], [])
    boxes = [ObjectPrompt(box=[4 + number, 5, 30, 28 + number]) for number in range(1 + len(name) % 3)]
    return Asked(boxes, list(range(1, len(boxes) + 1)))


@pytest.fixture
def job(tmp_path):
    predictor = Predictor(tiny())

    def make(out="out", workers=1, prompts_of=asked_of, **options):
        out = tmp_path / out
        run = FileRun(
            predictor,
            out,
            prompts_of,
            categories=[{"id": 1, "name": "object"}],
            settings={},
            options=Options(**options),
            products=[Measures(out)],
            workers=workers,
        )
        run.predictor = predictor
        return run

    return make


def files_of(out):
    return {p.relative_to(out).as_posix(): p.read_bytes() for p in out.rglob("*") if p.is_file()}


def test_the_same_bytes_in_the_same_order(folder, job, tmp_path):
    files = sources.find([folder])
    summaries, orders = [], []
    for workers in (1, 3):
        order = []
        summaries.append(
            job(str(workers), workers).run(
                files, lambda record, order=order: order.append(record["image"]["name"])
            )
        )
        orders.append(order)
    assert str(summaries[0]) == str(summaries[1]) and summaries[0].failed == summaries[1].failed
    assert (summaries[0].done, summaries[0].skipped, len(summaries[0].failed)) == (8, 1, 1)
    assert (
        orders[0]
        == orders[1]
        == [n for n in NAMES if n not in ("02", "04")] + [f"clip_{i:05d}" for i in range(3)]
    )
    assert files_of(tmp_path / "1") == files_of(tmp_path / "3")
    again = job("3", 3).run(files)
    assert (again.done, again.kept) == (0, 8) and files_of(tmp_path / "1") == files_of(tmp_path / "3")


def test_what_is_followed_is_the_same_too(folder, job, tmp_path):
    for workers in (1, 3):
        job(str(workers), workers, follow=True).run(sources.find([folder / "clip.dcm", folder / "00.png"]))
    assert files_of(tmp_path / "1") == files_of(tmp_path / "3")
    found = json.loads((tmp_path / "3/predictions.json").read_text())
    assert any("track_id" in entry for entry in found["annotations"])


def test_interrupted_it_ends_its_threads_and_goes_on_later(folder, job, tmp_path):
    files = sources.find([folder])
    job("whole").run(files)

    def interrupt(frame):
        if frame["image"]["name"] == "05":
            raise KeyboardInterrupt

    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        job(workers=3).run(files, interrupt)
    assert threading.active_count() == before
    found = json.loads((tmp_path / "out/predictions.json").read_text())
    assert [image["name"] for image in found["images"]] == ["00", "01", "03"]
    summary = job(workers=3).run(files)
    # Those that were under way when it ended count as done.
    assert 4 <= summary.kept < 8 and files_of(tmp_path / "out") == files_of(tmp_path / "whole")


def test_a_folder_that_cannot_be_written_ends_all_at_once(folder, job, tmp_path, monkeypatch):
    real, written = file_records.write_bytes, []

    def full(path, data):
        written.append(path.name)
        if path.name.startswith("03"):
            raise OutputError(f"cannot write {path}: No space left on device")
        real(path, data)

    monkeypatch.setattr(file_records, "write_bytes", full)
    with pytest.raises(OutputError, match="03_001.png: No space left.*what is done is kept"):
        job(workers=2).run(sources.find([folder]))
    assert not any(name.startswith("clip") for name in written)
    found = json.loads((tmp_path / "out/predictions.json").read_text())
    assert [image["name"] for image in found["images"]] == ["00", "01"]


def test_frames_in_flight_are_few(tmp_path, job):
    """However long a clip is, only as many of its frames are in memory as are worked on, and as many wait."""
    frames = np.stack([noise(32, 32, seed=number)[..., 0] for number in range(16)])
    (tmp_path / "long.dcm").write_bytes(dicom_bytes(frames, jpegs=True))
    run = job(workers=2)
    taken, done = [], []
    real = run.work.do

    def slow(frames):
        taken.append(len(done))
        time.sleep(0.005)
        return real(frames)

    run.work.do = slow
    run.run(sources.find([tmp_path / "long.dcm"]), lambda record: done.append(record["image"]["name"]))
    assert len(done) == 16
    # When the n-th was begun, no more than four before it were not yet told.
    assert all(number - told <= 4 for number, told in enumerate(taken))


class Together(Predictor):
    """A predictor that notes how many pictures it is given, and takes three at once as a GPU does."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.given = []

    def segment_each(self, images, objects, **options):
        self.given.append(len(images))
        return super().segment_each(images, objects, **options)


def test_a_gpu_is_given_several_pictures_at_once(folder, job, tmp_path, monkeypatch):
    files = sources.find([folder])
    job("single").run(files)
    predictor = Together(tiny())
    monkeypatch.setattr(type(predictor.engine), "batch", 3)
    run = FileRun(
        predictor, tmp_path / "out", asked_of, categories=[], settings={}, options=Options(), workers=2
    )
    summary = run.run(files)
    assert summary.done == 8 and len(summary.failed) == 1 and max(predictor.given) == 3
    for path in (tmp_path / "single/masks").glob("*.png"):
        expected, found = (cv2.imread(str(p), 0) for p in (path, tmp_path / "out/masks" / path.name))
        assert (expected != found).mean() < 1e-3


def test_of_several_pictures_at_once_the_wrong_one_is_named(folder, tmp_path, monkeypatch):
    def prompts_of(name):
        return Asked([ObjectPrompt(box=[9, 9, 2, 2] if name == "01.png" else [4, 5, 30, 28])], [1])

    predictor = Together(tiny())
    monkeypatch.setattr(type(predictor.engine), "batch", 4)
    run = FileRun(
        predictor, tmp_path / "out", prompts_of, categories=[], settings={}, options=Options(), workers=2
    )
    summary = run.run(sources.find([folder]))
    assert summary.done == 5 + 3 and len(summary.failed) == 2
    assert any("01.png: the box of object 1 is empty" in line for line in summary.failed)


def test_objects_of_one_call_belong_to_one_picture(tiny_model):
    predictor = Predictor(tiny_model)
    with pytest.raises(PromptError, match="belongs to one image"):
        predictor.segment_once(waves(), [ObjectPrompt(box=[4, 5, 30, 28], image=1)])


@pytest.mark.parametrize("number", ["1", "3"])
def test_the_command_takes_workers(folder, tiny_weights, tmp_path, number, capsys):
    args = (folder, "--checkpoint", tiny_weights, "--box", "5,5,40,30", "--out", tmp_path / "out", "--quiet")
    assert main(["predict", *map(str, args), "--device", "cpu", "--workers", number]) == 1
    assert "9 images segmented, 9 objects, 1 failed" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["predict", *map(str, args), "--workers", "0"])
    assert "--workers: at least 1, not 0" in capsys.readouterr().err
