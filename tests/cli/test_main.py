"""The command line's frame: help, errors in a line, names."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import ultrasam
from ultrasam.cli import main as entry
from ultrasam.cli.main import build_parser
from ultrasam.errors import DataError
from ultrasam.machine.explain import explanation

ROOT = Path(__file__).parents[2]
COMMAND_FILES = [
    path
    for path in (ROOT / "ultrasam/cli").glob("[!_]*.py")
    # The others are parts of commands.
    if path.stem
    not in ("main", "options", "phantom", "deidentify", "predict_records", "predict_choices", "data_cache")
]


def test_help_imports_nothing_heavy():
    code = (
        "import sys\nfrom ultrasam.cli.main import build_parser\n"
        "build_parser().format_help()\nprint(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"torch", "numpy", "cv2", "pycocotools", "tqdm", "mmengine", "mmdet", "benchmarks"}
    assert "ultrasam.cli.main" in done.stdout and not heavy & set(done.stdout.split())


def test_without_a_command_it_prints_the_help(capsys):
    assert entry([]) == 0
    out = capsys.readouterr().out
    assert out == build_parser().format_help()
    # Every command once, with what it does, under what it is for.
    groups = ("data", "train", "predict", "check")
    places = [out.index(f"\n{group}:\n") for group in groups]
    assert places == sorted(places)
    commands = [line.split()[0] for line in out[places[0] :].splitlines() if line.startswith("  ")]
    assert sorted(commands) == sorted(p.stem for p in COMMAND_FILES)
    for command in commands:
        assert re.search(rf"^  {command} +\w.{{12,}}$", out, re.MULTILINE)


@pytest.mark.parametrize(
    ("words", "dest", "new"),
    [(["demo", "--weights", "w.pth"], "start", "--from"),
     (["reproduce", "--weights", "w.pth"], "checkpoint", "--checkpoint")],
)  # fmt: skip
def test_an_option_of_an_earlier_version_works_and_says_its_new_name(words, dest, new, capsys):
    args = build_parser().parse_args(words)
    assert getattr(args, dest) == "w.pth"
    assert f"--weights is called {new} now" in capsys.readouterr().err
    assert args == build_parser().parse_args([words[0], new, "w.pth"]) and not capsys.readouterr().err
    with pytest.raises(SystemExit):
        build_parser().parse_args([words[0], "--help"])
    assert "--weights" not in capsys.readouterr().out


@pytest.mark.parametrize("name", ["train", "test", "demo"])
def test_commands_show_examples(name, capsys):
    with pytest.raises(SystemExit) as stop:
        entry([name, "--help"])
    assert stop.value.code == 0 and "examples:" in capsys.readouterr().out


def test_configs_lists_them(capsys):
    assert entry(["configs"]) == 0
    out = capsys.readouterr().out
    assert "ultrasam/ultrasam_vit-b_us43d " in out and "_base_" not in out


def test_a_wrong_path_is_said_in_a_line(capsys):
    pytest.importorskip("mmdet")
    assert entry(["train", "nothing.py"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("ultrasam: no configuration at nothing.py") and "Traceback" not in err


def test_debug_shows_the_traceback():
    pytest.importorskip("mmdet")
    with pytest.raises(ultrasam.UltraSamError):
        entry(["--debug", "train", "nothing.py"])


def test_wrapped_errors_keep_their_message():
    try:
        try:
            raise DataError("a.png is broken")
        except DataError as error:
            raise RuntimeError("in a library") from error
    except RuntimeError as error:
        assert explanation(error) == "a.png is broken"
    worker = DataError(
        "Caught DataError in DataLoader worker process 0.\nOriginal Traceback (most recent call last):\n"
        "  File x\nultrasam.errors.DataError: a.png is broken"
    )
    assert explanation(worker) == "a.png is broken"
    from ultrasam.converters.engine.errors import TreeError

    assert explanation(TreeError("no images folder")) == "no images folder"
    assert explanation(ValueError("a bug")) is None


def test_bad_option_names_the_form(capsys):
    with pytest.raises(SystemExit):
        build_parser().parse_args(["train", "x", "--cfg-options", "lr"])
    assert "KEY=VALUE" in capsys.readouterr().err


def test_public_names():
    for name in ultrasam.__all__:
        assert getattr(ultrasam, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = ultrasam.nonsense
