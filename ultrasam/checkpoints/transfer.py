"""One file over HTTP: gone on with where it broke off, given up where nothing comes any more."""

from __future__ import annotations

import json
import re
import threading
import urllib.error
import urllib.request
from dataclasses import dataclass
from http.client import HTTPResponse
from pathlib import Path
from typing import IO, Any

from tqdm import tqdm

from ultrasam.data.files import write_json

#: No weights that are fetched by name are larger; a server that never ends must not fill the disk.
MOST = 8 << 30


@dataclass(frozen=True)
class Patience:
    """How slow a server may be.

    Attributes:
        seconds: in which something has to come: an answer first, then data.
        least: how many bytes of data, at least.
    """

    seconds: float = 60.0
    least: int = 64 << 10


PATIENCE = Patience()


def transfer(url: str, part: Path, patience: Patience) -> None:
    """Bring the file at an address to ``part``, which stays where the connection breaks and is gone on with.

    It is gone on with only where the server confirms that its file is still the one that was begun.

    Raises:
        OSError: no connection, an error of the server, or too little in too long a time.
        http.client.HTTPException: the server does not speak HTTP.
        ValueError: no such address.
    """
    worker = _Worker(url, part, patience)
    worker.start()
    try:
        before = 0
        # Watched from outside: every kind of waiting ends here, within headers and names of hosts too.
        while not worker.finished.wait(patience.seconds):
            if worker.received - before < patience.least:
                raise TimeoutError(
                    f"the server sent {worker.received - before} bytes in {patience.seconds:g} s; gave up"
                )
            before = worker.received
    finally:
        worker.stop()
    if worker.error is not None:
        raise worker.error


def forget(part: Path) -> None:
    """Remove what was begun."""
    part.unlink(missing_ok=True)
    _note(part).unlink(missing_ok=True)


def _note(part: Path) -> Path:
    """What is known of the server's file that ``part`` is the beginning of."""
    return part.with_name(part.name + ".json")


class _Worker(threading.Thread):
    """The transfer itself; it may hang, and is left to itself then."""

    def __init__(self, url: str, part: Path, patience: Patience) -> None:
        super().__init__(daemon=True)
        self.url, self.part, self.patience = url, part, patience
        self.received = 0
        self.finished = threading.Event()
        self.error: Exception | None = None
        self._writing = threading.Lock()
        self._stopped = False

    def stop(self) -> None:
        """Nothing is written from now on."""
        with self._writing:
            self._stopped = True

    def run(self) -> None:
        """Transfer; an error is for the one who waits."""
        try:
            self._run()
        except Exception as error:
            self.error = error
        finally:
            self.finished.set()

    def _run(self) -> None:
        have, known = _begun(self.url, self.part)
        headers = {"Range": f"bytes={have}-", "If-Range": known} if have else {}
        try:
            response = self._open(headers)
        except urllib.error.HTTPError as error:
            if error.code != 416:
                raise
            response = self._open({})
        if response.status == 206 and _start(response) != have:
            response.close()
            response = self._open({})
        with response:
            if response.status != 206:
                have = 0
                forget(self.part)
            _remember(self.url, self.part, response)
            length = response.headers.get("Content-Length", "")
            total = have + int(length) if length.isdigit() else None
            with (
                self.part.open("ab") as file,
                tqdm(total=total, initial=have, unit="B", unit_scale=True, desc=self.part.stem) as bar,
            ):
                self._copy(response, file, bar, have)
        size = self.part.stat().st_size
        if total is not None and size != total:
            raise OSError(f"the connection broke after {size} of {total} bytes; try again")

    def _open(self, headers: dict[str, str]) -> Any:
        request = urllib.request.Request(self.url, headers=headers)
        response = urllib.request.urlopen(request, timeout=self.patience.seconds)
        if self.url.startswith("https:") and not response.geturl().startswith("https:"):
            raise OSError(f"the server sends to {response.geturl()}, which is not encrypted")
        return response

    def _copy(self, response: HTTPResponse, file: IO[bytes], bar: Any, have: int) -> None:
        while chunk := response.read1(1 << 20):
            with self._writing:
                if self._stopped:
                    return
                file.write(chunk)
            self.received += len(chunk)
            bar.update(len(chunk))
            if have + self.received > MOST:
                raise OSError(f"the server sends more than {MOST >> 30} GiB")


def _begun(url: str, part: Path) -> tuple[int, str]:
    """How much of a file is there, and by what its server knows it; 0 where that is not certain."""
    try:
        known = json.loads(_note(part).read_text())
        if known["url"] == url and known["validator"]:
            return part.stat().st_size, str(known["validator"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return 0, ""


def _remember(url: str, part: Path, response: HTTPResponse) -> None:
    """Note what the server calls its file now: its strong tag, or its date."""
    tag = response.headers.get("ETag", "")
    validator = tag if tag.startswith('"') else response.headers.get("Last-Modified", "")
    write_json(_note(part), {"url": url, "validator": validator})


def _start(response: HTTPResponse) -> int | None:
    found = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    return int(found[1]) if found else None
