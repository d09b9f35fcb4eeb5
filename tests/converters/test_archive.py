"""Archives as downloaded: nested, split, broken, hostile."""

from __future__ import annotations

import importlib
import io
import shutil
import subprocess
import tarfile
import zipfile

import pytest
from ultrasam.converters import ConverterError, convert, get
from ultrasam.converters.engine import archive
from ultrasam.converters.engine.coco import read_json


@pytest.fixture
def busi(tmp_path):
    importlib.import_module("tests.converters.raw.busi").make(tmp_path / "raw")
    convert(get("busi"), tmp_path / "raw", tmp_path / "plain")
    return tmp_path


def images(folder):
    return {p.name: p.read_bytes() for p in (folder / "busi/images").iterdir()}


def coco(folder):
    content = read_json(folder / "busi/annotations/all.json")
    return content["images"], content["annotations"]


@pytest.mark.parametrize("kind", ["zip", "gztar", "xztar"])
def test_an_archive_gives_what_the_folder_gives(busi, kind):
    file = shutil.make_archive(str(busi / "download"), kind, busi / "raw")
    convert(get("busi"), file, busi / "packed")
    assert images(busi / "packed") == images(busi / "plain")
    assert coco(busi / "packed") == coco(busi / "plain")
    assert not (busi / "packed/.raw/busi").exists()


def test_nested_archives_beside_plain_files(busi):
    outer = busi / "outer"
    outer.mkdir()
    shutil.make_archive(str(outer / "Dataset_BUSI_with_GT"), "zip", busi / "raw")
    (outer / "readme.txt").write_text("x")
    file = shutil.make_archive(str(busi / "download"), "zip", outer)
    for source in (file, outer):
        convert(get("busi"), source, busi / "packed")
        assert coco(busi / "packed") == coco(busi / "plain")
    assert sorted(p.name for p in outer.iterdir()) == ["Dataset_BUSI_with_GT.zip", "readme.txt"]


def test_a_split_zip_under_its_fake_ending(tmp_path):
    if shutil.which("zip") is None:
        pytest.skip("no zip command to make a split archive with")
    importlib.import_module("tests.converters.raw.echocp").make(tmp_path / "raw")
    noise = tmp_path / "raw/EchoCP_dataset/noise.bin"
    noise.write_bytes(bytes(__import__("random").Random(1).randbytes(200_000)))
    (tmp_path / "get").mkdir()
    command = ["zip", "-q", "-r", "-s", "64k", str(tmp_path / "get/EchoCP_dataset.zip"), "EchoCP_dataset"]
    subprocess.run(command, cwd=tmp_path / "raw", check=True)
    assert (tmp_path / "get/EchoCP_dataset.z02").is_file()
    (tmp_path / "get/EchoCP_dataset.zip").rename(tmp_path / "get/EchoCP_dataset.change2zip")
    report = convert(get("echocp"), tmp_path / "get", tmp_path / "out")
    assert report.images == 3
    (tmp_path / "get/EchoCP_dataset.z02").unlink()
    with pytest.raises(ConverterError, match=r"volumes expected, 2 found|no end of a zip"):
        convert(get("echocp"), tmp_path / "get", tmp_path / "again")


def write_zip(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members.items():
            file.writestr(name, data)


@pytest.mark.parametrize(
    "name", ["../out.png", "/etc/out.png", "a/../../out.png", "..\\out.png", "C:\\out.png"]
)
def test_members_that_escape_are_refused(tmp_path, name):
    write_zip(tmp_path / "evil.zip", {name: b"x"})
    (tmp_path / "into").mkdir()
    with pytest.raises(ConverterError, match="unsafe member"):
        archive.unpack(tmp_path / "evil.zip", tmp_path / "into")
    assert list((tmp_path / "into").iterdir()) == []


def test_links_are_refused(tmp_path):
    link = tarfile.TarInfo("link")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    with tarfile.open(tmp_path / "evil.tar", "w") as file:
        file.addfile(link)
    entry = zipfile.ZipInfo("link")
    entry.external_attr = 0o120777 << 16
    write_zip(tmp_path / "evil.zip", {entry: b"/etc/passwd"})
    (tmp_path / "into").mkdir()
    for name in ("evil.tar", "evil.zip"):
        with pytest.raises(ConverterError, match="refused"):
            archive.unpack(tmp_path / name, tmp_path / "into")


def test_bombs_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "BOMB_FLOOR", 1 << 20)
    write_zip(tmp_path / "bomb.zip", {"a.png": bytes(8 << 20)})
    (tmp_path / "into").mkdir()
    with pytest.raises(ConverterError, match="unpacks to more than"):
        archive.unpack(tmp_path / "bomb.zip", tmp_path / "into")
    assert sum(p.stat().st_size for p in (tmp_path / "into").iterdir()) <= 4 << 20


@pytest.mark.parametrize("damage", ["cut", "flip", "text"])
def test_a_broken_archive_says_so(busi, damage):
    file = busi / "download.zip"
    shutil.make_archive(str(file.with_suffix("")), "zip", busi / "raw")
    data = bytearray(file.read_bytes())
    if damage == "cut":
        data = data[: len(data) // 2]
    elif damage == "flip":
        data[200:260] = bytes(60)
    else:
        data = bytearray(b"<html>please log in</html>")
    file.write_bytes(data)
    with pytest.raises(ConverterError, match=r"download\.zip"):
        convert(get("busi"), file, busi / "broken")


def test_archives_nested_too_deep_are_refused(tmp_path):
    data = b"x"
    for level in range(7):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as file:
            file.writestr(f"level{level}.zip" if level else "a.png", data)
        data = buffer.getvalue()
    (tmp_path / "deep.zip").write_bytes(data)
    with pytest.raises(ConverterError, match="nested deeper"):
        convert(get("busi"), tmp_path / "deep.zip", tmp_path / "out")


def test_neither_folder_nor_archive(tmp_path):
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(ConverterError, match="neither a folder nor an archive"):
        convert(get("busi"), tmp_path / "a.txt", tmp_path / "out")
    with pytest.raises(ConverterError, match="does not exist"):
        convert(get("busi"), tmp_path / "b", tmp_path / "out")


def test_rar_from_the_samples(samples, tmp_path):
    file = samples / "fast_u_net/Dataset/AC/AC_mask.rar"
    archive.unpack(file, tmp_path)
    found = sorted(tmp_path.rglob("*.png"))
    assert len(found) == 412
    assert len([p for p in found if p.name.startswith("fa_")]) == 215
