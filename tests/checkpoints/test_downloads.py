"""Weights by name: fetched once, gone on with, verified by their content; from a server on this machine."""

import hashlib
import http.server
import io
import multiprocessing
import os
import socket
import threading
import time
import urllib.request

import filelock
import pytest
import torch

from ultrasam.checkpoints import download, transfer
from ultrasam.checkpoints.transfer import Patience
from ultrasam.errors import CheckpointError

#: As short as a server on this machine can keep to.
QUICK = Patience(seconds=0.4, least=1000)


def _weights(seed):
    file = io.BytesIO()
    torch.save({"a": torch.full((300_000,), float(seed))}, file)
    return file.getvalue()


CONTENT, OTHER = _weights(1), _weights(2)
PAGE = b"<!DOCTYPE html><html><title>Log in</title></html>"


class Server(http.server.BaseHTTPRequestHandler):
    """Serves what ``server.body`` holds, in the ways that servers have of going wrong."""

    def do_GET(self):
        way = self.path.split("/")[1]
        self.server.asked.append(self.headers.get("Range", ""))
        getattr(self, f"do_{way}", self.do_good)()

    def _answer(self, body, status=200, length=True, **headers):
        self.send_response(status)
        if length:
            self.send_header("Content-Length", str(len(body) if length is True else length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def do_good(self):
        """With ranges, as long as the file is the one that was begun."""
        body, tag = self.server.body, f'"{hashlib.md5(self.server.body).hexdigest()}"'
        wanted = self.headers.get("Range", "")
        if wanted and self.headers.get("If-Range") == tag:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            if start >= len(body):
                return self.send_error(416)
            content_range = f"bytes {start}-{len(body) - 1}/{len(body)}"
            return self._answer(body[start:], 206, Content_Range=content_range, ETag=tag)
        self._answer(body, ETag=tag)

    def do_cut(self):
        body = self.server.body
        tag = f'"{hashlib.md5(body).hexdigest()}"'
        self._answer(body[:400_000], length=len(body), ETag=tag)

    def do_cutnotag(self):
        self._answer(self.server.body[:400_000], length=len(self.server.body))

    def do_nolength(self):
        self._answer(self.server.body[: len(self.server.body) // 2], length=False)

    def do_badlength(self):
        self._answer(self.server.body, length="abc")

    def do_wrongrange(self):
        """Answers for another part than was asked for."""
        body, tag = self.server.body, f'"{hashlib.md5(self.server.body).hexdigest()}"'
        if self.headers.get("Range"):
            self._answer(body[7:], 206, Content_Range=f"bytes 7-{len(body) - 1}/{len(body)}", ETag=tag)
        else:
            self._answer(body, ETag=tag)

    def do_endless(self):
        self.send_response(200)
        self.end_headers()
        with_zeros = bytes(1 << 16)
        while not self.server.closing:
            try:
                self.wfile.write(with_zeros)
            except OSError:
                return

    def do_slow(self):
        """A byte now and then, which keeps a connection alive for ever."""
        self._answer(b"", length=len(CONTENT))
        self._drip(b"x")

    def do_slowheader(self):
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-A: ")
        self._drip(b"y")

    def do_slowchunk(self):
        self.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        self._drip(b"1")

    def _drip(self, byte):
        while not self.server.closing:
            try:
                self.wfile.write(byte)
                self.wfile.flush()
            except OSError:
                return
            time.sleep(0.02)

    def do_silent(self):
        while not self.server.closing:
            time.sleep(0.02)

    def do_steady(self):
        """Slower than the whole patience, but steadily."""
        body = self.server.body
        self._answer(b"", length=len(body))
        for start in range(0, len(body), len(body) // 8):
            self.wfile.write(body[start : start + len(body) // 8])
            time.sleep(0.08)

    def do_nohttp(self):
        self.wfile.write(b"220 ready\r\n\r\n")

    def do_missing(self):
        self.send_error(404)

    def do_broken(self):
        self.send_error(500)

    def do_tofile(self):
        self._answer(b"", 302, Location="file:///etc/passwd")

    def do_loop(self):
        self._answer(b"", 302, Location=self.path)

    def log_message(self, *args):
        pass


class _Quiet(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *args):
        pass


@pytest.fixture(scope="module")
def listener():
    server = _Quiet(("127.0.0.1", 0), Server)
    server.closing = False
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield server
    server.closing = True
    server.shutdown()


@pytest.fixture
def offer(listener, monkeypatch):
    """Offer weights in some way, under the name that is given back."""
    listener.body, listener.asked = CONTENT, []

    def named(way="good", checksum=None, **more):
        url = way if "://" in way else f"http://127.0.0.1:{listener.server_port}/{way}/w.pth"
        more.setdefault("holds", {"a": (300_000,)})
        weights = download.Weights(url, checksum, "CC BY-NC-SA 4.0", **more)
        monkeypatch.setitem(download.WEIGHTS, "offered", weights)
        return "offered"

    return named


MD5 = "md5:" + hashlib.md5(CONTENT).hexdigest()
SHA = "sha256:" + hashlib.sha256(CONTENT).hexdigest()[:8]


def _left(folder):
    """What is left of a failed download; an empty lock is no harm."""
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".lock")


def test_fetched_once_with_its_license(offer, listener, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv(download.FOLDER_VARIABLE, str(tmp_path))
    name = offer(checksum=MD5)
    path = download.resolve(name)
    assert path == tmp_path / "w.pth" and path.read_bytes() == CONTENT
    assert "CC BY-NC-SA 4.0" in capsys.readouterr().err
    assert download.fetch(name) == path and listener.asked == [""]
    assert (tmp_path / "w.pth.sha256").read_text().split()[0] == hashlib.sha256(CONTENT).hexdigest()
    assert _left(tmp_path) == ["w.pth", "w.pth.sha256"]
    path.write_bytes(CONTENT[:-1] + b"x")
    with pytest.raises(CheckpointError, match="changed since"):
        download.fetch(name)


def test_a_broken_connection_is_resumed(offer, listener, tmp_path):
    offer("cut")
    with pytest.raises(CheckpointError, match=r"broke after 400000 of \d+ bytes"):
        download.fetch("offered", tmp_path)
    assert _left(tmp_path) == ["w.pth.part", "w.pth.part.json"]
    # The address is the same; what the server does is another thing.
    listener.RequestHandlerClass.do_cut, kept = Server.do_good, Server.do_cut
    try:
        assert download.fetch("offered", tmp_path).read_bytes() == CONTENT
    finally:
        listener.RequestHandlerClass.do_cut = kept
    assert listener.asked == ["", "bytes=400000-"] and _left(tmp_path) == ["w.pth", "w.pth.sha256"]


# what lies there before -> what is asked of the server
STALE = {
    "of an unknown file": (b"x" * 5000, None, [""]),
    "of another file": (OTHER[:5000], '"other"', ["bytes=5000-"]),
    "of an unknown server": (CONTENT[:5000], "", [""]),
    "longer than the file": (CONTENT + b"x" * 99, '"other"', [f"bytes={len(CONTENT) + 99}-"]),
    "all of it": (CONTENT, "same", [f"bytes={len(CONTENT)}-", ""]),
    "with damaged notes": (b"x" * 5000, "damaged", [""]),
}


@pytest.mark.parametrize("kind", sorted(STALE))
def test_beginnings_of_something_else(offer, listener, tmp_path, kind):
    """Without a checksum nobody would notice what was glued together."""
    begun, validator, asked = STALE[kind]
    offer()
    url = download.WEIGHTS["offered"].url
    (tmp_path / "w.pth.part").write_bytes(begun)
    note = tmp_path / "w.pth.part.json"
    if validator == "same":
        validator = f'"{hashlib.md5(CONTENT).hexdigest()}"'
    if validator == "damaged":
        note.write_text("{half")
    elif validator is not None:
        transfer.write_json(note, {"url": url, "validator": validator})
    assert download.fetch("offered", tmp_path).read_bytes() == CONTENT
    assert listener.asked == asked and _left(tmp_path) == ["w.pth", "w.pth.sha256"]


def test_a_server_that_answers_for_another_part(offer, listener, tmp_path):
    offer("wrongrange")
    (tmp_path / "w.pth.part").write_bytes(CONTENT[:5000])
    note = {"url": download.WEIGHTS["offered"].url, "validator": '"x"'}
    transfer.write_json(tmp_path / "w.pth.part.json", note)
    assert download.fetch("offered", tmp_path).read_bytes() == CONTENT
    assert listener.asked == ["bytes=5000-", ""]


def test_without_a_tag_it_begins_anew(offer, listener, tmp_path):
    offer("cutnotag")
    for _ in range(2):
        with pytest.raises(CheckpointError, match="broke after 400000"):
            download.fetch("offered", tmp_path)
    assert listener.asked == ["", ""]


# how it is served, its body, its checksum, what it should hold -> what the user is told
WRONG = {
    "a login page": ("good", PAGE, None, {}, "a web page"),
    "a login page for a checksum": ("good", PAGE, MD5, {}, "checksum"),
    "an empty file": ("good", b"", None, {}, "empty"),
    "half a file": ("good", CONTENT[: len(CONTENT) // 2], None, {}, "damaged"),
    "half a file of unknown length": ("nolength", CONTENT, None, {}, "damaged"),
    "another file": ("good", OTHER, MD5, {}, "checksum"),
    "another file by its name": ("good", OTHER, SHA, {}, "checksum"),
    "another shape": ("good", CONTENT, None, {"holds": {"a": (3, 3)}}, r"a is \(300000,\) and not \(3, 3\)"),
    "another network": ("good", CONTENT, None, {"holds": {"b": (3,)}}, "b is missing"),
    "no segmenter": ("good", CONTENT, None, {"variant": "vit_b"}, "not the weights of a promptable"),
    "a flipped bit": ("good", CONTENT[:9000] + b"!" + CONTENT[9001:], None, {}, "damaged"),
}


@pytest.mark.parametrize("kind", sorted(WRONG))
def test_nothing_wrong_is_kept(offer, listener, tmp_path, kind):
    way, body, checksum, more, told = WRONG[kind]
    listener.body = body
    with pytest.raises(CheckpointError, match=told) as error:
        download.fetch(offer(way, checksum, **more), tmp_path)
    assert _left(tmp_path) == [] and "did not give w.pth" in str(error.value)
    listener.body = CONTENT
    assert download.fetch(offer(), tmp_path).read_bytes() == CONTENT


def test_another_variant_is_refused(offer, listener, tmp_path, tiny_weights):
    listener.body = tiny_weights.read_bytes()
    with pytest.raises(CheckpointError, match="and not vit_b"):
        download.fetch(offer(variant="vit_b", holds={}), tmp_path)
    assert _left(tmp_path) == []


UNREACHED = {
    "missing": "404",
    "broken": "500",
    "nohttp": "220 ready",
    "tofile": "not allowed",
    "loop": "infinite loop",
    "silent": "timed out|gave up",
    "slow": r"the server sent \d+ bytes in 0.4 s; gave up",
    "slowheader": "gave up",
    "slowchunk": "gave up",
    "http://127.0.0.1:9/w.pth": "refused",
    "http://nohost.invalid/w.pth": "could not fetch",
    "nonsense://w.pth": "unknown url type",
}


@pytest.mark.parametrize("way", sorted(UNREACHED))
def test_servers_that_fail(offer, tmp_path, way):
    begun = time.monotonic()
    with pytest.raises(CheckpointError, match=UNREACHED[way]) as error:
        download.fetch(offer(way), tmp_path, QUICK)
    assert "Download it yourself and put it at" in str(error.value) and time.monotonic() - begun < 5
    assert not (tmp_path / "w.pth").exists() and not (tmp_path / "w.pth.sha256").exists()


def test_a_server_that_never_ends(offer, tmp_path, monkeypatch):
    monkeypatch.setattr(transfer, "MOST", 1 << 20)
    with pytest.raises(CheckpointError, match="the server sends more than"):
        download.fetch(offer("endless"), tmp_path)
    assert not (tmp_path / "w.pth").exists()


def test_a_steady_server_has_all_the_time_it_needs(offer, tmp_path):
    assert download.fetch(offer("steady"), tmp_path, QUICK).read_bytes() == CONTENT
    assert download.fetch(offer("badlength"), tmp_path / "b", QUICK).read_bytes() == CONTENT


def test_what_lies_in_the_place(offer, listener, tmp_path):
    path = tmp_path / "w.pth"
    path.mkdir()
    with pytest.raises(CheckpointError, match="is a folder, where the file of that name belongs"):
        download.fetch(offer(), tmp_path)
    path.rmdir()
    path.touch()
    assert download.fetch("offered", tmp_path).read_bytes() == CONTENT
    # A kill or a full disk while the sum was written.
    (tmp_path / "w.pth.sha256").write_text("")
    assert download.fetch("offered", tmp_path) == path and len(listener.asked) == 1
    # A page that was kept, and its sum with it.
    path.write_bytes(PAGE)
    (tmp_path / "w.pth.sha256").write_text(hashlib.sha256(PAGE).hexdigest() + "  w.pth\n")
    assert download.fetch("offered", tmp_path).read_bytes() == CONTENT
    # One that was put there by hand is the user's.
    path.write_bytes(PAGE)
    (tmp_path / "w.pth.sha256").unlink()
    with pytest.raises(CheckpointError, match=r"a web page.*Remove it"):
        download.fetch("offered", tmp_path)
    assert path.read_bytes() == PAGE
    with pytest.raises(CheckpointError, match="could not fetch"):
        download.fetch("offered", path)


def _fetch(url, folder, answers):
    download.WEIGHTS["offered"] = download.Weights(url, None, "CC BY-NC-SA 4.0")
    answers.put(download.fetch("offered", folder).read_bytes() == CONTENT)


def test_several_at_once_download_once(offer, listener, tmp_path):
    offer("steady")
    url = download.WEIGHTS["offered"].url
    context = multiprocessing.get_context("fork")
    answers = context.Queue()
    peers = [context.Process(target=_fetch, args=(url, tmp_path, answers)) for _ in range(2)]
    peers += [threading.Thread(target=_fetch, args=(url, tmp_path, answers)) for _ in range(2)]
    for peer in peers:
        peer.start()
    assert [answers.get(timeout=30) for _ in peers] == [True] * 4
    for peer in peers:
        peer.join()
    assert len(listener.asked) == 1 and _left(tmp_path) == ["w.pth", "w.pth.sha256"]


def _hold(path, ready):
    lock = filelock.FileLock(path)
    lock.acquire()
    ready.set()
    time.sleep(60)


def test_a_process_that_holds_the_place(offer, tmp_path):
    """One that gets on is waited for, one that doesn't is named, a dead one is in nobody's way."""
    offer()
    context = multiprocessing.get_context("fork")
    ready = context.Event()
    peer = context.Process(target=_hold, args=(tmp_path / "w.pth.lock", ready))
    peer.start()
    try:
        assert ready.wait(10)
        with pytest.raises(CheckpointError, match="another process is fetching"):
            download.fetch("offered", tmp_path, Patience(seconds=0.1))
    finally:
        peer.kill()
        peer.join()
    assert download.fetch("offered", tmp_path, QUICK).read_bytes() == CONTENT


def test_an_encrypted_address_stays_so(listener, monkeypatch, tmp_path):
    """A file without a checksum is only as good as its connection."""

    class Answer(io.BytesIO):
        status, headers = 200, {}

        def geturl(self):
            return "http://elsewhere/w.pth"

    monkeypatch.setattr(urllib.request, "urlopen", lambda *a, **k: Answer(b"x"))
    with pytest.raises(OSError, match="not encrypted"):
        transfer.transfer("https://somewhere/w.pth", tmp_path / "w.part", QUICK)


def test_offline_folder(tmp_path, monkeypatch):
    monkeypatch.setenv(download.FOLDER_VARIABLE, str(tmp_path))
    monkeypatch.setattr(socket, "socket", lambda *a, **k: pytest.fail("no network here"))
    (tmp_path / "UltraSam.pth").write_bytes(CONTENT)
    os.chmod(tmp_path, 0o500)
    try:
        assert download.fetch("ultrasam") == tmp_path / "UltraSam.pth"
    finally:
        os.chmod(tmp_path, 0o700)


def test_every_license_is_known():
    assert len(download.WEIGHTS) >= 5
    for weights in download.WEIGHTS.values():
        assert weights.url.startswith("https://") and weights.file_name.endswith(".pth")
        assert weights.license.startswith(("Apache-2.0", "BSD-3-Clause", "CC BY-NC-SA 4.0"))
        assert weights.variant or weights.holds
    with pytest.raises(CheckpointError, match="sam_vit_b"):
        download.resolve("sam_vit_x")
