"""Weights by name: fetched once, resumed, verified; from a server on this machine."""

import hashlib
import http.server
import threading
from functools import partial

import pytest

from ultrasam.checkpoints import download
from ultrasam.errors import CheckpointError

CONTENT = bytes(range(256)) * 5000


class Server(http.server.BaseHTTPRequestHandler):
    """Serves CONTENT; breaks the first connection in the middle when asked to."""

    asked: list
    breaks: list

    def __init__(self, asked, breaks, *args):
        self.asked, self.breaks = asked, breaks
        super().__init__(*args)

    def do_GET(self):
        start = int(self.headers.get("Range", "bytes=0-").split("=")[1].rstrip("-"))
        self.asked.append(start)
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(CONTENT) - start))
        self.end_headers()
        body = CONTENT[start:]
        if self.breaks:
            body = body[: self.breaks.pop()]
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture
def server(monkeypatch):
    asked, breaks = [], []
    listener = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Server, asked, breaks))
    threading.Thread(target=listener.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{listener.server_port}/w.pth"
    md5 = "md5:" + hashlib.md5(CONTENT).hexdigest()
    for name, checksum in (("good", md5), ("bad", "md5:" + "0" * 32)):
        monkeypatch.setitem(download.WEIGHTS, name, download.Weights(url, checksum, "CC BY-NC-SA 4.0"))
    yield asked, breaks
    listener.shutdown()


def test_fetched_once_with_its_license(server, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv(download.FOLDER_VARIABLE, str(tmp_path))
    path = download.resolve("good")
    assert path == tmp_path / "w.pth" and path.read_bytes() == CONTENT
    assert "CC BY-NC-SA 4.0" in capsys.readouterr().err
    assert download.fetch("good") == path and server[0] == [0]
    assert (tmp_path / "w.pth.sha256").read_text().split()[0] == hashlib.sha256(CONTENT).hexdigest()
    path.write_bytes(CONTENT[:-1] + b"x")
    with pytest.raises(CheckpointError, match="changed since"):
        download.fetch("good")


def test_a_broken_connection_is_resumed(server, tmp_path):
    asked, breaks = server
    breaks.append(400_000)
    with pytest.raises(CheckpointError, match="could not fetch"):
        download.fetch("good", tmp_path)
    assert not (tmp_path / "w.pth").exists()
    assert download.fetch("good", tmp_path).read_bytes() == CONTENT
    assert asked == [0, 400_000]


def test_a_wrong_file_is_refused(server, tmp_path):
    with pytest.raises(CheckpointError, match=r"hash|checksum"):
        download.fetch("bad", tmp_path)
    assert not (tmp_path / "w.pth").exists()


def test_offline_folder(tmp_path, monkeypatch):
    monkeypatch.setenv(download.FOLDER_VARIABLE, str(tmp_path))
    monkeypatch.setattr(download.urllib.request, "urlopen", lambda *a, **k: pytest.fail("no network here"))
    (tmp_path / "UltraSam.pth").write_bytes(b"put here by hand")
    assert download.fetch("ultrasam") == tmp_path / "UltraSam.pth"


def test_every_license_is_known():
    assert len(download.WEIGHTS) >= 5
    for weights in download.WEIGHTS.values():
        assert weights.url.startswith("https://") and weights.file_name.endswith(".pth")
        assert weights.license.startswith(("Apache-2.0", "BSD-3-Clause", "CC BY-NC-SA 4.0"))
    with pytest.raises(CheckpointError, match="sam_vit_b"):
        download.resolve("sam_vit_x")
