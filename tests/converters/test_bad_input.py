"""One bad case is reported with its file and reason, the rest goes on, the exit code says so."""

from __future__ import annotations

import argparse
import errno
import importlib
import os

import numpy as np
import pytest
from ultrasam.converters import ConverterError, convert, get, names
from ultrasam.converters.engine.coco import read_json

from tests.kit.archives import bits, picture, rect, save, text


@pytest.fixture
def bus_b(tmp_path):
    """Three good pairs, in a folder with Chinese letters and blanks."""
    top = tmp_path / "超声 raw/BUS"
    for n in range(3):
        save(top / f"original/2022010{n}_颈 动脉_{n}.png", picture(n))
        bits(top / f"GT/2022010{n}_颈 动脉_{n}.png", rect(8, 8, 30, 30))
    return top


def run(top, **options):
    return convert(get("bus_b"), top.parent, top.parent.parent / "out", **options)


def said(report):
    return "\n".join(f"{f['file']}: {f['reason']}" for f in report.failures)


def test_names_in_chinese_and_with_blanks(bus_b):
    report = run(bus_b)
    assert (report.images, report.ok) == (3, True)
    whole = read_json(bus_b.parent.parent / "out/bus_b/annotations/all.json")
    assert "颈 动脉" in whole["images"][0]["source"]["file"]
    assert all(i["file_name"].isascii() for i in whole["images"])
    assert len({i["file_name"] for i in whole["images"]}) == 3


def spoil(path, how):
    data = path.read_bytes()
    path.unlink()
    if how == "truncated":
        path.write_bytes(data[: len(data) // 2])
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "text":
        path.write_bytes(b"<html>404</html>")
    elif how == "sixteen":
        save(path, np.full((48, 64), 4000, np.uint16))


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("truncated", "cut off"),
        ("empty", "no readable image"),
        ("text", "no readable image"),
        ("sixteen", "8 bit"),
    ],
)
@pytest.mark.parametrize("folder", ["original", "GT"])
def test_an_unreadable_file(bus_b, folder, how, reason):
    victim = sorted((bus_b / folder).iterdir())[1]
    spoil(victim, how)
    report = run(bus_b)
    assert report.images == 2
    assert victim.name in said(report) and reason in said(report)
    with pytest.raises(ConverterError, match=reason):
        run(bus_b, strict=True, resume=False)


def test_partners_that_are_missing_and_sizes_that_differ(bus_b):
    images, masks = (sorted((bus_b / f).iterdir()) for f in ("original", "GT"))
    images[0].unlink()
    masks[1].unlink()
    bits(masks[2], rect(8, 8, 30, 30, 48, 80))
    with pytest.raises(ConverterError, match="nothing was converted") as error:
        run(bus_b)
    for words in ("mask without image", "image without mask", "mask of 80x48 pixels for an image of 64x48"):
        assert words in str(error.value)


def test_no_permission(bus_b, monkeypatch):
    victim = sorted((bus_b / "original").iterdir())[0]
    real = type(victim).open

    def locked(path, *args, **options):
        if path == victim:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return real(path, *args, **options)

    monkeypatch.setattr(type(victim), "open", locked)
    report = run(bus_b)
    assert f"{victim.name}: Permission denied" in said(report) and report.images == 2


def test_a_full_disk_leaves_nothing_half_written(bus_b, monkeypatch):
    real = os.replace
    calls = []

    def full(source, target):
        if str(target).endswith(".png"):
            calls.append(target)
            if len(calls) > 1:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(source, target)

    monkeypatch.setattr(os, "replace", full)
    report = run(bus_b)
    assert report.images == 1 and said(report).count("No space left on device") == 2
    assert len(list((bus_b.parent.parent / "out/bus_b/images").iterdir())) == 1
    monkeypatch.setattr(os, "replace", real)
    again = run(bus_b)
    assert (again.images, again.resumed, again.ok) == (3, 1, True)


def test_a_table_without_a_column(tmp_path):
    importlib.import_module("tests.converters.raw.bus_bra").make(tmp_path / "raw")
    text(tmp_path / "raw/BUSBRA/bus_data.csv", "ID,Patient\nbus_0001-l,1\n")
    with pytest.raises(ConverterError, match=r"bus_data.csv: no column Case \(found: ID, Patient\)"):
        convert(get("bus_bra"), tmp_path / "raw", tmp_path / "out")


def arguments(*words):
    from ultrasam.cli import convert as command
    from ultrasam.cli import data

    parser = argparse.ArgumentParser()
    subparsers = parser.add_subparsers()
    command.add_parser(subparsers)
    data.add_parser(subparsers)
    return parser.parse_args([str(w) for w in words])


def call(*words):
    args = arguments(*words)
    return args.func(args)


def test_the_exit_code_says_so(bus_b, capsys):
    out = bus_b.parent.parent / "out"
    assert call("convert", "bus_b", "--raw", bus_b, "--out", out) == 0
    spoil(sorted((bus_b / "original").iterdir())[1], "truncated")
    assert call("convert", "bus_b", "--raw", bus_b, "--out", out) == 1
    assert "cut off" in capsys.readouterr().out
    assert call("data", "check", out / "bus_b/annotations/all.json") == 0
    assert call("data", "stats", out / "bus_b/annotations/all.json") == 0
    assert '"images": 2' in capsys.readouterr().out
    with pytest.raises(ConverterError, match="--raw is missing"):
        call("convert", "bus_b", "--out", out)
    with pytest.raises(ConverterError, match="unknown data set 'nothing'"):
        call("convert", "nothing", "--raw", bus_b, "--out", out)


def test_list_info_and_all(tmp_path, capsys):
    assert call("convert", "list") == 0
    listed = {line.split()[0] for line in capsys.readouterr().out.splitlines()}
    assert set(names()) <= listed
    assert call("convert", "info", "busi") == 0
    shown = capsys.readouterr().out
    assert "benign (433)" in shown and "scholar.cu.edu.eg" in shown and "Expected tree" in shown
    for name in ("busi", "tn3k"):
        importlib.import_module(f"tests.converters.raw.{name}").make(tmp_path / "raw" / name)
    assert call("convert", "all", "--raw-root", tmp_path / "raw", "--out", tmp_path / "out") == 1
    assert f"2 of {len(names())} data sets were there" in capsys.readouterr().out
    assert call("data", "merge", "--root", tmp_path / "out", "--out", tmp_path / "us43d") == 0
    assert call("data", "check", tmp_path / "us43d/train.json", "--images", tmp_path / "out") == 0


def test_a_table_with_a_value_that_is_no_number(tmp_path):
    importlib.import_module("tests.converters.raw.echonet_dynamic").make(tmp_path / "raw")
    text(
        tmp_path / "raw/EchoNet-Dynamic/VolumeTracings.csv",
        "FileName,X1,Y1,X2,Y2,Frame\na.avi,1,2,three,4,5\n",
    )
    with pytest.raises(ConverterError, match=r"echonet_dynamic: a list or table .*three"):
        convert(get("echonet_dynamic"), tmp_path / "raw", tmp_path / "out")
