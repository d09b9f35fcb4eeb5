"""What a killed, damaged or doubled conversion leaves, and archives that unpack to more than they seem."""

from __future__ import annotations

import importlib
import io
import os
import random
import signal
import struct
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest
from ultrasam.converters import ConverterError, convert, get
from ultrasam.converters.engine import archive, run
from ultrasam.converters.engine.alone import alone
from ultrasam.converters.engine.find import glob, walk
from ultrasam.converters.engine.splitzip import SplitZip

from tests.kit.toy import COUNT, toy


def outputs(folder: Path) -> dict[str, bytes]:
    paths = [path for path in (folder / "toy").rglob("*") if path.is_file() and path.name != ".journal"]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(paths)}


def zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members.items():
            file.writestr(name, data)
    return buffer.getvalue()


def forged(data: bytes) -> bytes:
    """A zip whose directory and headers say that every file has 10 bytes."""
    for mark, at in ((b"PK\1\2", 24), (b"PK\3\4", 22)):
        start = data.find(mark)
        while start >= 0:
            data = data[: start + at] + struct.pack("<L", 10) + data[start + at + 4 :]
            start = data.find(mark, start + 4)
    return data


ZEROS = bytes(300_000)
BOMBS = {
    "one file": {"a.bmp": bytes(1_200_000)},
    "many files": {f"{number}.bmp": ZEROS for number in range(5)},
    "nested": {f"{number}.zip": zipped({"a.bmp": ZEROS}) for number in range(5)},
    "nested twice": {"a.zip": zipped({f"{number}.zip": zipped({"a.bmp": ZEROS}) for number in range(5)})},
    "files without end": {f"{number}.txt": b"" for number in range(40)},
    "nested files": {f"{n}.zip": zipped({f"{number}.txt": b"" for number in range(9)}) for n in range(5)},
}


@pytest.mark.parametrize("folder", [False, True], ids=["file", "folder"])
@pytest.mark.parametrize("kind", BOMBS)
def test_all_archives_of_a_data_set_share_one_budget(tmp_path, monkeypatch, kind, folder):
    monkeypatch.setattr(archive, "BOMB_FLOOR", 1_000_000)
    monkeypatch.setattr(archive, "BOMB_RATIO", 2)
    monkeypatch.setattr(archive, "BOMB_FILES", 30)
    source = tmp_path / "downloaded"
    if folder:
        source.mkdir()
        (source / "a.zip").write_bytes(zipped(BOMBS[kind]))
    else:
        source = source.with_suffix(".zip")
        source.write_bytes(zipped(BOMBS[kind]))
    with pytest.raises(ConverterError, match=r"refused; if it is what you think"):
        convert(get("busi"), source, tmp_path / "out")
    assert [p.name for p in (tmp_path / "out").iterdir()] == [".busi.lock"], "nothing of it is left"


def test_an_archive_that_says_too_little_is_refused_while_it_unpacks(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "BOMB_FLOOR", 1_000_000)
    (tmp_path / "a.zip").write_bytes(forged(zipped({"a.bmp": bytes(8_000_000)})))
    with pytest.raises(ConverterError, match=r"a\.zip"):
        convert(get("busi"), tmp_path / "a.zip", tmp_path / "out")
    assert [p.name for p in (tmp_path / "out").iterdir()] == [".busi.lock"]


def test_what_does_not_fit_on_the_disk_is_refused_before(tmp_path, monkeypatch):
    (tmp_path / "a.zip").write_bytes(zipped({"a.bmp": ZEROS}))
    monkeypatch.setattr(archive.shutil, "disk_usage", lambda _: SimpleNamespace(free=200_000))
    monkeypatch.setattr(archive, "_copy", lambda *_: pytest.fail("it was written"))
    with pytest.raises(ConverterError, match="GiB are free"):
        convert(get("busi"), tmp_path / "a.zip", tmp_path / "out")


def test_a_name_that_differs_from_the_directory_is_refused(tmp_path):
    """Of split archives, which the standard library does not read."""
    data = zipped({"first.txt": b"first" * 9, "other.txt": b"other" * 9})
    (tmp_path / "a.z01").write_bytes(b"")
    (tmp_path / "a.zip").write_bytes(data.replace(b"other.txt", b"oth3r.txt", 1))
    assert data.index(b"other.txt") < data.index(b"PK\1\2")
    entries = SplitZip(tmp_path / "a.zip")
    entries.directory = lambda: SplitZip.directory(entries)  # type: ignore[method-assign]
    with pytest.raises(ConverterError, match=r"other\.txt.*another name"):
        for _, _, content in _members_of_one_volume(entries):
            b"".join(content)


def _members_of_one_volume(entries: SplitZip):
    entries.volumes, entries.starts = entries.volumes[1:], entries.starts[1:]
    for member in entries.directory():
        yield member.name, member.modified, entries.content(member)


JOURNALS = {
    "garbage": lambda data: b"\xff\x00\xfe" * 300,
    "no line": lambda data: b"",
    "a byte": lambda data: data[: len(data) // 2] + b"\xff" + data[len(data) // 2 + 1 :],
    "a digit": lambda data: data.replace(b'"width": 50', b'"width": 51', 1),
    "a line without its end": lambda data: data[:-20],
    "a line in two": lambda data: data.replace(b'"images"', b'"ima\nges"', 1),
    "records of another kind": lambda data: data + b'{"key": "a"}\n[]\n7\nnull\n',
    "head": lambda data: b"x" + data,
    "lines of zeros": lambda data: data + bytes(5000) + b"\n",
}


@pytest.mark.parametrize("damage", JOURNALS)
def test_a_damaged_journal_is_used_as_far_as_it_is_whole(tmp_path, damage):
    convert(toy(), None, tmp_path)
    before = outputs(tmp_path)
    journal = tmp_path / "toy/.journal"
    whole = journal.read_bytes()
    journal.write_bytes(JOURNALS[damage](whole))
    assert journal.read_bytes() != whole
    report = convert(toy(), None, tmp_path)
    assert outputs(tmp_path) == before
    lost = COUNT - 1 - report.resumed
    if damage in ("no line", "a line without its end"):
        assert not report.again, "a run that was killed is nothing to tell"
    else:
        assert "damaged line of the journal" in report.summary()
    if damage in ("a byte", "a digit", "a line in two", "a line without its end"):
        assert lost == 1
    if damage in ("records of another kind", "lines of zeros"):
        assert lost == 0


@pytest.mark.parametrize("damage", ["bit", "cut", "gone", "grown", "swapped", "folder"])
def test_an_output_that_was_damaged_later_is_made_again(tmp_path, damage):
    convert(toy(), None, tmp_path)
    before = outputs(tmp_path)
    image, other = (tmp_path / f"toy/images/{name}.png" for name in ("003", "004"))
    data = bytearray(image.read_bytes())
    if damage == "bit":
        data[len(data) // 2] ^= 1
        stat = image.stat()
        image.write_bytes(data)
        os.utime(image, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    elif damage == "cut":
        image.write_bytes(data[:-1])
    elif damage == "grown":
        image.write_bytes(data + b"0")
    elif damage == "swapped":
        image.write_bytes(other.read_bytes())
    else:
        image.unlink()
    if damage == "folder":
        image.mkdir()
        with pytest.raises(ConverterError):
            convert(toy(), None, tmp_path, strict=True)
        return
    report = convert(toy(), None, tmp_path)
    assert outputs(tmp_path) == before and report.resumed == COUNT - 2
    assert "converted again: 1 x damaged or missing image" in report.summary()


def test_a_second_conversion_into_one_folder_is_refused_while_the_first_lives(tmp_path, monkeypatch):
    reached, go_on = threading.Event(), threading.Event()
    records = run._records

    def waiting(*args):
        reached.set()
        assert go_on.wait(20)
        return records(*args)

    monkeypatch.setattr(run, "_records", waiting)
    first = threading.Thread(target=convert, args=(toy(), None, tmp_path))
    first.start()
    try:
        assert reached.wait(20)
        with pytest.raises(ConverterError, match="another conversion into .*toy is running"):
            convert(toy(), None, tmp_path)
        # Another process, and another data set or folder beside it.
        other = "import sys; from pathlib import Path; from ultrasam.converters.engine.alone import alone\n"
        code = other + "with alone(Path(sys.argv[1])): pass"
        command = [sys.executable, "-c", code]
        refused = subprocess.run([*command, tmp_path / "toy"], capture_output=True, text=True, check=False)
        assert refused.returncode == 1 and "is running" in refused.stderr
        with alone(tmp_path / "other"):
            pass
    finally:
        go_on.set()
        first.join()
    assert convert(toy(), None, tmp_path).resumed == COUNT - 1, "the lock ends with the run"


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_workers_end_when_their_parent_is_killed(tmp_path, end):
    script = (
        "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[1]); import tests.kit.toy as t\n"
        "from ultrasam.converters import convert\n"
        "if __name__ == '__main__': convert(t.toy(read=t.slow), None, Path(sys.argv[2]), workers=2)\n"
    )
    (tmp_path / "main.py").write_text(script)
    command = [sys.executable, tmp_path / "main.py", Path(__file__).parents[2], tmp_path / "out"]
    parent = subprocess.Popen(command)
    family = set()
    deadline = time.monotonic() + 60
    while len(family) < 3 and time.monotonic() < deadline:  # two workers and multiprocessing's tracker
        time.sleep(random.Random(0).uniform(0.01, 0.02))
        family = children(parent.pid)
    assert len(family) == 3
    os.kill(parent.pid, end)
    parent.wait()
    while any(map(alive, family)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not [pid for pid in family if alive(pid)]


def children(parent: int) -> set[int]:
    found = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == parent:
            found.add(int(path.parent.name))
    return found


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("name", ["malignant", "benign", "."])
def test_a_folder_that_cannot_be_read_is_named(tmp_path, monkeypatch, name):
    """The superuser reads everything, so the system's answer is given by hand."""
    importlib.import_module("tests.converters.raw.busi").make(tmp_path / "raw")
    (closed,) = [
        p
        for p in [tmp_path / "raw", *walk(tmp_path / "raw")]
        if p.name == name or (name, p) == (".", tmp_path / "raw")
    ]
    listed = os.scandir

    def scandir(path):
        if Path(path) == closed:
            raise PermissionError(13, "Permission denied", str(closed))
        return listed(path)

    # Given back before the folder is cleared away.
    with monkeypatch.context() as patched:
        patched.setattr(os, "scandir", scandir)
        patched.setattr(os, "listdir", lambda path: [entry.name for entry in os.scandir(path)])
        with pytest.raises(ConverterError, match=f"{closed}: cannot be read"):
            convert(get("busi"), tmp_path / "raw", tmp_path / "out")
        with pytest.raises(ConverterError, match="cannot be read"):
            glob(closed, "**/*")
