"""An S3 server on this machine, moto's, which asks for keys as a real one does."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.kit.ports import free_ports

#: Who may do everything, until somebody else is asked for.
KEYS = {"AWS_ACCESS_KEY_ID": "owner", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1"}


class Storage:
    """A running server with one bucket.

    Args:
        port: that it listens at.
    """

    BUCKET = "shards"

    def __init__(self, port: int) -> None:
        self.address = f"http://127.0.0.1:{port}"

    @property
    def environment(self) -> dict[str, str]:
        """What every S3 client reads."""
        return {**KEYS, "AWS_ENDPOINT_URL": self.address}

    def upload(self, folder: Path, to: str) -> str:
        """Copy a folder into the bucket; gives its address."""
        import fsspec

        system = fsspec.filesystem("s3")
        for path in sorted(folder.iterdir()):
            system.pipe_file(f"{self.BUCKET}/{to}/{path.name}", path.read_bytes())
        return f"s3://{self.BUCKET}/{to}"

    def ask_for_keys(self, after: float) -> None:
        """From so many requests on, who has no key that the server gave out is refused."""
        text = "inf" if after == float("inf") else str(int(after))
        request = urllib.request.Request(
            f"{self.address}/moto-api/reset-auth", data=text.encode(), headers={"Content-Type": "text/plain"}
        )
        with urllib.request.urlopen(request, timeout=10):
            pass


@contextmanager
def serving() -> Iterator[Storage]:
    """A server in a process of its own, with the environment set so that clients find it."""
    (port,) = free_ports(1)
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    before = dict(os.environ)
    storage = Storage(port)
    try:
        _wait(port, process)
        os.environ.update(storage.environment)
        import fsspec

        fsspec.filesystem("s3").mkdir(storage.BUCKET)
        yield storage
    finally:
        os.environ.clear()
        os.environ.update(before)
        process.terminate()
        process.wait(10)


def _wait(port: int, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as tried:
            if tried.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError("moto's server did not start")
