"""What `ultrasam data new` writes runs as it is, fails where it is broken, and overwrites nothing."""

import importlib
import inspect
import sys

import pytest

from ultrasam.cli.main import main


@pytest.fixture
def own(tmp_path, monkeypatch, capsys):
    """The three files of a new set, imported."""
    assert main(["data", "new", "liver_demo", "--out", str(tmp_path)]) == 0
    assert "pytest" in capsys.readouterr().out
    monkeypatch.syspath_prepend(tmp_path / "liver_demo")
    names = ("liver_demo", "liver_demo_archive", "test_liver_demo")
    yield [importlib.import_module(name) for name in names]
    for name in names:
        sys.modules.pop(name, None)


def run(test, tmp_path):
    """Its tests, with the fixture that they share."""
    ran = 0
    for name, function in vars(test).items():
        if name.startswith("test_"):
            ran += 1
            folder = tmp_path / name
            folder.mkdir()
            values = {"tmp_path": folder}
            if "converted" in inspect.signature(function).parameters:
                values["converted"] = inspect.unwrap(test.converted)(folder)
            function(**{key: values[key] for key in inspect.signature(function).parameters})
    return ran


def test_the_skeleton_passes_as_written_and_fails_when_the_converter_is_wrong(own, tmp_path, monkeypatch):
    converter, _, test = own
    assert run(test, tmp_path) == 4
    from dataclasses import replace

    from ultrasam.converters.engine.recipes import binary_still

    wrong = replace(converter.DATASET, read=binary_still("lesion", threshold=1000))
    monkeypatch.setattr(test, "DATASET", wrong)
    (tmp_path / "again").mkdir()
    with pytest.raises(Exception, match="nothing was converted"):
        run(test, tmp_path / "again")


def test_worker_processes_find_it_by_its_file(own, tmp_path):
    import pickle

    from ultrasam.converters import convert

    converter, archive, _ = own
    assert pickle.loads(pickle.dumps(converter.DATASET)) is converter.DATASET
    archive.make(tmp_path / "raw")
    report = convert(converter.DATASET, tmp_path / "raw", tmp_path / "out", workers=2)
    assert (report.images, len(report.failures)) == (3, 1)


def test_it_has_a_command_of_its_own(own, tmp_path, capsys):
    from ultrasam.converters import own as command

    converter, archive, _ = own
    archive.make(tmp_path / "raw")
    args = ["--raw", str(tmp_path / "raw"), "--out", str(tmp_path / "out")]
    assert command.main(converter.DATASET, args) == 1  # a made-up image has no mask
    assert "3 images with 3 objects" in capsys.readouterr().out
    assert command.main(converter.DATASET, ["--raw", str(tmp_path / "none"), *args[2:]]) == 2
    assert "liver_demo: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "words"),
    [("Liver", "small letters"), ("2d", "small letters"), ("class", "small letters"), ("busi", "catalogue")],
)
def test_names_that_cannot_be(name, words, tmp_path, capsys):
    assert main(["data", "new", name, "--out", str(tmp_path)]) == 2
    assert words in capsys.readouterr().err and not list(tmp_path.iterdir())


def test_nothing_is_overwritten(own, tmp_path, capsys):
    kept = tmp_path / "liver_demo/test_liver_demo.py"
    kept.write_text("mine")
    assert main(["data", "new", "liver_demo", "--out", str(tmp_path)]) == 2
    assert "is there already" in capsys.readouterr().err and kept.read_text() == "mine"
