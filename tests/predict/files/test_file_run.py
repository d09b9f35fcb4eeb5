"""Runs over files: one bad file does not stop the others, and what is there at the end is whole."""

import json
import os
import resource
import signal
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.kit.fuzz_files import dicom_bytes, region
from tests.kit.pictures import noise
from ultrasam.checkpoints import places
from ultrasam.cli import predict_choices
from ultrasam.cli.main import build_parser, main
from ultrasam.errors import OutputError
from ultrasam.machine import process
from ultrasam.predict.files import sources
from ultrasam.predict.files.asked import Asked
from ultrasam.predict.files.file_run import FileRun, Options
from ultrasam.predict.files.former_results import fingerprint
from ultrasam.predict.object_prompt import ObjectPrompt
from ultrasam.predict.predictor import Predictor

GRAY = noise(48, 64)[None, ..., 0]


@pytest.fixture
def folder(tmp_path):
    for name in "abc":
        path = tmp_path / "in" / f"{name}.png"
        path.parent.mkdir(exist_ok=True)
        cv2.imwrite(str(path), noise(48, 64, seed=ord(name)))
    return tmp_path / "in"


@pytest.fixture
def job(tiny_model, tmp_path):
    """A run that is not of the command line."""

    def make(workers=1, **options):
        return FileRun(
            Predictor(tiny_model),
            tmp_path / "out",
            lambda name: Asked([ObjectPrompt(box=[5, 5, 40, 30])], [1]),
            categories=[{"id": 1, "name": "object"}],
            settings={},
            options=Options(**options),
            workers=workers,
        )

    return make


def predict(folder, weights, out, *more):
    args = (folder, "--checkpoint", weights, "--box", "5,5,40,30", "--out", out, "--device", "cpu", "--quiet")
    return main(["predict", *map(str, (*args, *more))])


def files_of(out):
    return {p.relative_to(out).as_posix(): p.read_bytes() for p in out.rglob("*") if p.is_file()}


BAD = {
    "zero.png": b"",
    "text.jpg": b"some text",
    "huge.pgm": b"P5 40000 40000 255\n" + bytes(9),
    "numbers.dcm": dicom_bytes(GRAY, Rows=0),
    "syntax.dcm": dicom_bytes(GRAY).replace(b"1.2.840.10008.1.2.1", b"1.2.840.10008.9.9.9"),
    "short.dcm": dicom_bytes(GRAY, PixelData=bytes(10)),
    "text.mp4": b"some text",
}
ODD = {
    "region.dcm": dicom_bytes(GRAY, SequenceOfUltrasoundRegions=[region(RegionLocationMinX0=None)]),
    "format.dcm": dicom_bytes(GRAY, SequenceOfUltrasoundRegions=[region(RegionSpatialFormat=None)]),
    "spacing.dcm": dicom_bytes(GRAY, PixelSpacing=[0.3]),
}


def test_bad_files_are_named_and_the_others_done(folder, tiny_weights, tmp_path, capsys):
    for name, data in (BAD | ODD).items():
        (folder / name).write_bytes(data)
    assert predict(folder, tiny_weights, tmp_path / "out", "--no-overlays") == 1
    printed = capsys.readouterr()
    assert f"{3 + len(ODD)} images segmented" in printed.out and f"{len(BAD)} failed" in printed.out
    for name in BAD:
        assert sum(line.startswith("failed: ") and name in line for line in printed.err.splitlines()) == 1
    found = json.loads((tmp_path / "out/predictions.json").read_text())
    assert {i["file_name"] for i in found["images"]} == {"a.png", "b.png", "c.png", *ODD}
    # No length is true for them, and none is given.
    assert not any("area_mm2" in entry for entry in found["annotations"])


def test_when_all_are_bad_all_are_named(folder, tiny_weights, tmp_path, capsys):
    for path in folder.iterdir():
        path.write_bytes(b"nothing")
    assert predict(folder, tiny_weights, tmp_path / "out") == 2
    told = capsys.readouterr().err
    assert all(f"{name}.png is not a readable image" in told for name in "abc")


def test_the_spacing_given_counts_for_dicom_that_does_not_say(tiny_weights, tmp_path):
    for name, tags in (("plain", {}), ("says", {"PixelSpacing": [0.5, 0.5]})):
        (tmp_path / f"{name}.dcm").write_bytes(dicom_bytes(GRAY, **tags))
        predict(tmp_path / f"{name}.dcm", tiny_weights, tmp_path / name, "--spacing", "0.1,0.2")
    for name, size in (("plain", 0.02), ("says", 0.25)):
        entry = json.loads((tmp_path / name / "predictions.json").read_text())["annotations"][0]
        assert entry["area_mm2"] == pytest.approx(entry["area"] * size, abs=1e-3)


def test_what_is_missing_or_damaged_is_made_again(folder, tiny_weights, tmp_path, capsys):
    out = tmp_path / "out"
    assert predict(folder, tiny_weights, out) == 0
    first = files_of(out)
    assert "3 kept" not in capsys.readouterr().out
    (out / "masks/a_001.png").unlink()
    (out / "masks/b_001.png").write_bytes(first["masks/b_001.png"][:-9])
    (out / "overlays/c.png").write_bytes(bytes(len(first["overlays/c.png"])))
    assert predict(folder, tiny_weights, out) == 0 and files_of(out) == first
    assert "3 images segmented" in capsys.readouterr().out
    (out / "records/a.json").write_text("{}")
    (out / "records/b.json").write_text("[1]")
    predict(folder, tiny_weights, out)
    assert "2 images segmented, 2 objects, 1 kept" in capsys.readouterr().out and files_of(out) == first


def test_a_mask_that_a_person_has_corrected_is_put_aside(folder, tiny_weights, tmp_path, capsys):
    out, image = tmp_path / "out", folder / "a.png"
    assert predict(image, tiny_weights, out) == 0
    first, mask = files_of(out), out / "masks/a_001.png"
    for values, more, aside in ((7, (), ".changed"), (9, ("--box", "1,1,30,30"), ".changed_2")):
        cv2.imwrite(str(mask), np.full((48, 64), values, np.uint8))
        corrected = mask.read_bytes()
        capsys.readouterr()
        assert predict(image, tiny_weights, out, *more) == 0
        assert f"changed since, so left there: masks/a_001.png{aside}" in capsys.readouterr().out
        assert (out / f"masks/a_001.png{aside}").read_bytes() == corrected
        assert mask.read_bytes() == first["masks/a_001.png"]


def test_overlays_asked_for_later_are_drawn(folder, tiny_weights, tmp_path, capsys):
    predict(folder, tiny_weights, tmp_path / "out", "--no-overlays")
    predict(folder, tiny_weights, tmp_path / "out")
    assert len(list((tmp_path / "out/overlays").glob("*.png"))) == 3
    capsys.readouterr()
    predict(folder, tiny_weights, tmp_path / "out", "--no-overlays")
    assert "3 kept" in capsys.readouterr().out


@pytest.mark.parametrize("stop", [KeyboardInterrupt, "SIGTERM"])
def test_interrupted_it_writes_what_is_done(folder, job, tmp_path, stop):
    files = sources.find([folder])
    job().run(files)
    whole = files_of(tmp_path / "out")
    for name in ("records/b.json", "records/c.json", "predictions.json"):
        (tmp_path / "out" / name).unlink()

    def interrupt(record):
        if record["image"]["name"] == "b":
            if stop == "SIGTERM":
                os.kill(os.getpid(), signal.SIGTERM)
            raise KeyboardInterrupt

    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises((KeyboardInterrupt, SystemExit)) as error, process.leaving_on_sigterm():
        job().run(files, interrupt)
    assert signal.getsignal(signal.SIGTERM) == before
    assert stop is KeyboardInterrupt or error.value.code == 143
    found = json.loads((tmp_path / "out/predictions.json").read_text())
    assert [i["file_name"] for i in found["images"]] == ["a.png"]
    summary = job().run(files)
    assert (summary.kept, summary.done) == (2, 1) and files_of(tmp_path / "out") == whole


def test_files_that_vanish_meanwhile(folder, job, tmp_path):
    files = sources.find([folder])

    def vanish(record):
        (folder / "b.png").unlink(missing_ok=True)

    summary = job().run(files, vanish)
    assert summary.done == 2 and len(summary.failed) == 1
    assert "b.png: No such file" in summary.failed[0] and (tmp_path / "out/predictions.json").is_file()


def test_a_file_that_may_not_be_read(folder, job, monkeypatch):
    real = type(folder).open

    def locked(path, *args, **options):
        if path.name == "a.png":
            raise PermissionError(13, os.strerror(13), str(path))
        return real(path, *args, **options)

    monkeypatch.setattr(type(folder), "open", locked)
    summary = job().run(sources.find([folder]))
    assert summary.done == 2 and "a.png: Permission denied" in summary.failed[0]


def test_no_room_left(folder, job, tmp_path):
    """One clear error and not one for each file; what is done is kept."""
    files = sources.find([folder])
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    def fill(record):
        # From now on no file may be larger: as on a full disk, writing fails half-way.
        resource.setrlimit(resource.RLIMIT_FSIZE, (600, limits[1]))

    try:
        with pytest.raises(OutputError, match="cannot write .*File too large; what is done is kept"):
            job().run(files, fill)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, ignored)
    assert not list((tmp_path / "out").rglob("*.part"))
    assert job().run(files).kept == 1


def test_a_folder_that_cannot_be_written(folder, tiny_weights, tmp_path, capsys):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/masks").write_text("in the way")
    assert predict(folder, tiny_weights, tmp_path / "out") == 2
    told = capsys.readouterr().err
    assert told.count("cannot write") == 1 and "start again to go on" in told


def test_a_clip_damaged_in_the_middle_is_followed_on(job, tmp_path):
    frames = np.stack([noise(48, 64, seed=i)[..., 0] for i in range(4)])
    data = bytearray(dicom_bytes(frames, jpegs=True))
    second = [at for at in range(len(data)) if data[at : at + 3] == b"\xff\xd8\xff"][1]
    data[second : second + 40] = bytes(40)
    (tmp_path / "a.dcm").write_bytes(data)
    for follow in (False, True):
        summary = job(follow=follow).run(sources.find([tmp_path / "a.dcm"]))
        assert summary.done == 3 and len(summary.failed) == 1 and "frame 1" in summary.failed[0]
    found = json.loads((tmp_path / "out/predictions.json").read_text())
    assert [i["frame"] for i in found["images"]] == [0, 2, 3]


def names_in(out, *folders):
    return sorted(
        p.relative_to(out).as_posix() for folder in folders for p in (out / folder).rglob("*") if p.is_file()
    )


def test_results_of_other_prompts_go_and_what_a_person_changed_stays(folder, tiny_weights, tmp_path, capsys):
    out = tmp_path / "out"
    assert predict(folder, tiny_weights, out, "--box", "20,10,60,40", "--box", "1,1,30,30") == 0
    assert len(names_in(out, "masks")) == 9
    (out / "masks/b_003.png").write_bytes(b"drawn by hand")
    (out / "masks/mine.png").write_bytes(b"of somebody")
    kept = (out / "masks/c_001.png").read_bytes()
    capsys.readouterr()
    assert predict(folder, tiny_weights, out, "--no-overlays") == 0
    told = capsys.readouterr().out
    assert names_in(out, "masks", "overlays") == [
        *("masks/a_001.png", "masks/b_001.png", "masks/b_003.png", "masks/c_001.png", "masks/mine.png")
    ]
    # Five masks and three overlays.
    assert "8 files of earlier runs removed" in told
    assert "changed since, so left there: masks/b_003.png" in told
    assert (out / "masks/c_001.png").read_bytes() == kept
    # Of other images than those of this run nothing goes.
    before = files_of(out)
    assert predict(folder / "a.png", tiny_weights, out, "--box", "1,1,30,30", "--no-overlays") == 0
    assert set(names_in(out, "masks")) == {p for p in before if p.startswith("masks")} | {"masks/a_002.png"}


def test_what_a_source_no_longer_has_goes(tiny_weights, tmp_path):
    """Frames that a clip has lost, an image that nothing is asked of, products that were not asked for."""
    out, inputs = tmp_path / "out", tmp_path / "in"
    inputs.mkdir()
    for name, count in (("c", 3), ("s", 1)):
        frames = np.stack([noise(48, 64, seed=i)[..., 0] for i in range(count)])
        (inputs / f"{name}.dcm").write_bytes(dicom_bytes(frames))
    assert predict(inputs, tiny_weights, out, "--measures", "--video") == 0
    made = names_in(out, "masks", "curves", "videos")
    assert made[:2] == ["curves/c.svg", "masks/c_00000_001.png"] and made[-1] == "videos/c.mp4"
    # The same results: nothing of them goes.
    assert predict(inputs, tiny_weights, out) == 0
    assert names_in(out, "masks", "curves", "videos") == made and (out / "measures.csv").exists()
    two = np.stack([noise(48, 64, seed=i)[..., 0] for i in range(2)])
    (inputs / "c.dcm").write_bytes(dicom_bytes(two))
    (tmp_path / "boxes.csv").write_text("c.dcm,5,5,40,30\n")
    args = ["predict", inputs, "--checkpoint", tiny_weights, "--prompts", tmp_path / "boxes.csv"]
    assert main([*map(str, [*args, "--out", out, "--device", "cpu", "--quiet"])]) == 0
    assert names_in(out, "masks", "curves", "videos", "overlays") == [
        *("masks/c_00000_001.png", "masks/c_00001_001.png", "overlays/c_00000.png", "overlays/c_00001.png")
    ]
    assert not (out / "measures.csv").exists() and not (out / "records/s.json").exists()


def test_records_can_not_name_files_elsewhere(folder, tiny_weights, tmp_path):
    out = tmp_path / "out"
    assert predict(folder, tiny_weights, out) == 0
    (tmp_path / "mine.txt").write_bytes(b"mine")
    (out / "notes.json").write_text("{}")
    (out / "link.txt").symlink_to(tmp_path / "mine.txt")
    record = json.loads((out / "records/a.json").read_text())
    names = ["../mine.txt", str(tmp_path / "mine.txt"), "link.txt", "masks", "", "a\0b", "\ud800", "a" * 5000]
    record["files"] |= dict.fromkeys(names, fingerprint(b"mine"))
    record["settings"] = "of another run"
    (out / "records/a.json").write_text(json.dumps(record))
    source = json.loads((out / "records/.sources/a.json").read_text())
    frames = ["../../mine.txt", "../notes", str(out / "notes"), "a\0b", "a"]
    (out / "records/.sources/a.json").write_text(json.dumps({**source, "digest": "other", "frames": frames}))
    assert predict(folder, tiny_weights, out) == 0
    assert (tmp_path / "mine.txt").read_bytes() == b"mine" and (out / "link.txt").is_symlink()
    assert (out / "notes.json").exists()


def test_masks_that_a_person_has_moved_away_stay_and_are_named(folder, tiny_weights, tmp_path, capsys):
    out = tmp_path / "out"
    assert predict(folder, tiny_weights, out, "--box", "1,1,30,30") == 0
    mask = out / "masks/a_002.png"
    kept = mask.rename(tmp_path / "kept.png").read_bytes()
    mask.symlink_to(tmp_path / "kept.png")
    capsys.readouterr()
    assert predict(folder, tiny_weights, out) == 0
    assert "left there: masks/a_002.png" in capsys.readouterr().out
    assert mask.is_symlink() and (tmp_path / "kept.png").read_bytes() == kept


@pytest.mark.parametrize(
    "odd", [{"annotations": None}, {"annotations": [{}]}, {"image": {}}, {"image": None}, {"files": []}]
)
def test_records_that_are_none_are_made_again(folder, tiny_weights, tmp_path, odd):
    out = tmp_path / "out"
    assert predict(folder / "a.png", tiny_weights, out) == 0
    before, path = files_of(out), out / "records/a.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **odd}))
    assert predict(folder / "a.png", tiny_weights, out) == 0
    assert files_of(out) == before


@pytest.mark.parametrize("out", ["in", "in/out"])
def test_results_are_no_inputs(folder, tiny_weights, tmp_path, out, capsys):
    assert predict(folder, tiny_weights, tmp_path / out, "--measures") == 0
    (tmp_path / "in/masks").mkdir(exist_ok=True)
    cv2.imwrite(str(tmp_path / "in/masks/mine.png"), noise(48, 64))
    capsys.readouterr()
    assert predict(folder, tiny_weights, tmp_path / out) == 0
    told = capsys.readouterr().out
    # Three masks and three overlays; what somebody put beside them is an input.
    assert "left out of the inputs: 6 results" in told
    assert "1 images segmented, 1 objects, 3 kept" in told
    assert predict(tmp_path / out / "masks/a_001.png", tiny_weights, tmp_path / out) == 2


def test_files_that_become_a_clip_leave_nothing_behind(tiny_weights, tmp_path):
    out, inputs = tmp_path / "out", tmp_path / "in"
    inputs.mkdir()
    for i in range(3):
        tags = {"SeriesInstanceUID": "1.2", "InstanceNumber": i + 1}
        (inputs / f"s{i}.dcm").write_bytes(dicom_bytes(noise(48, 64, seed=i)[None, ..., 0], **tags))
    cv2.imwrite(str(inputs / "s2.png"), noise(48, 64))
    (tmp_path / "boxes.csv").write_text("s1.dcm,5,5,40,30\ns2.png,5,5,40,30\n")
    args = ["predict", inputs, "--checkpoint", tiny_weights, "--prompts", tmp_path / "boxes.csv"]
    args = [*map(str, [*args, "--out", out, "--device", "cpu", "--quiet", "--no-overlays"])]
    assert main(args) == 0
    assert names_in(out, "masks") == ["masks/s1_001.png", "masks/s2.png_001.png"]
    assert main([*args, "--follow"]) == 0
    left = names_in(out, "masks")
    assert "masks/s1_001.png" not in left and "masks/s0_00001_001.png" in left and "masks/s2_001.png" in left


def test_a_clip_beside_its_frames_has_results_of_its_own():
    found = [sources.Source(Path(name), name) for name in ("c.mp4", "c_00001.png", "d_00001.png")]
    assert sources.names(found) == ["c.mp4", "c_00001", "d_00001"]


def test_the_small_model_counts_as_another_when_it_changes(monkeypatch, tmp_path):
    args = build_parser().parse_args(["predict", "a.png", "--out", "out"])
    first = predict_choices.settings_of(args)["checkpoint_stamp"]
    (tmp_path / "small.onnx.json").write_text('{"sha256": {}}')
    monkeypatch.setattr(places, "OWN_FILE", tmp_path / "small.safetensors")
    assert first != predict_choices.settings_of(args)["checkpoint_stamp"]
