"""A file is the old one or the new one, whatever happens, and an error says which file and why."""

import errno
import json
import os
import subprocess
import sys
import threading

import pytest
import torch

from ultrasam.data import files
from ultrasam.errors import UltraSamError


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_each_kind_is_written_and_folders_are_made(tmp_path):
    files.write_bytes(tmp_path / "a/b/bytes", b"\0\1")
    files.write_bytes(tmp_path / "pieces", (bytes([n]) for n in range(3)))
    files.write_text(str(tmp_path / "text"), "Größe")
    files.write_json(tmp_path / "json", {"x": [1]})
    assert (tmp_path / "a/b/bytes").read_bytes() == b"\0\1"
    assert (tmp_path / "pieces").read_bytes() == b"\0\1\2"
    assert (tmp_path / "text").read_bytes() == "Größe".encode()
    assert json.loads((tmp_path / "json").read_text()) == {"x": [1]}
    with files.open_atomic(tmp_path / "weights.pth") as file:
        torch.save({"w": torch.ones(2)}, file)
    assert torch.load(tmp_path / "weights.pth")["w"].tolist() == [1, 1]
    assert names(tmp_path) == ["a", "json", "pieces", "text", "weights.pth"]


def test_whoever_reads_meanwhile_sees_the_old_file(tmp_path):
    path = tmp_path / "x"
    files.write_text(path, "old")
    with files.atomic(path) as part:
        part.write_text("half of the n")
        assert path.read_text() == "old" and part.parent == tmp_path
        assert part.name.endswith(".part") and str(os.getpid()) in part.name
        part.write_text("the new one")
    assert path.read_text() == "the new one" and names(tmp_path) == ["x"]


@pytest.mark.parametrize("error", [ValueError("broken"), KeyboardInterrupt()])
def test_a_block_that_fails_changes_nothing(tmp_path, error):
    files.write_text(tmp_path / "x", "old")
    with pytest.raises(type(error)), files.open_atomic(tmp_path / "x") as file:
        file.write(b"half")
        raise error
    assert (tmp_path / "x").read_text() == "old" and names(tmp_path) == ["x"]


def test_an_error_names_the_file_and_the_reason(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("a file where a folder is wanted")
    with pytest.raises(UltraSamError, match=r"cannot write .*file/x: (Not a directory|File exists)"):
        files.write_text(tmp_path / "file" / "x", "")
    files.write_text(tmp_path / "x", "old")

    def full(source, target):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(UltraSamError, match=r"cannot write .*x: No space left on device"):
        files.write_text(tmp_path / "x", "new")
    assert (tmp_path / "x").read_text() == "old" and names(tmp_path) == ["file", "x"]


def test_threads_that_write_one_file_do_not_meet(tmp_path):
    texts = [f"{number}" * 200_000 for number in range(4)]
    errors = []

    def write(text):
        try:
            for _ in range(20):
                files.write_text(tmp_path / "x", text)
                assert (tmp_path / "x").read_text() in texts
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=(text,)) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors and (tmp_path / "x").read_text() in texts and names(tmp_path) == ["x"]


def test_nothing_heavy_is_imported():
    code = "import sys, ultrasam.data.files; print({m.split('.')[0] for m in sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert not any(f"'{name}'" in loaded for name in ("torch", "numpy", "cv2", "PIL", "tqdm"))
