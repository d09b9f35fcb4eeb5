"""A Label Studio of PyPI in an environment of its own, and ``ultrasam serve`` beside it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.kit.ports import free_ports

#: The version that the documentation speaks of.
PACKAGE = "label-studio==1.23.2"
USER, PASSWORD = "reader@example.org", "password-of-the-tests"
LEGACY_TOKEN = "0123456789abcdef0123456789abcdef01234567"
TOKEN = "token-of-the-tests"
#: Seconds until it is up: a first start makes its data base.
_START, _FIRST_START = 120, 600


def installed(folder: Path) -> Path:
    """The program ``label-studio``, installed into a folder that is kept; two minutes the first time.

    Raises:
        subprocess.CalledProcessError: it can't be installed.
    """
    program, done = folder / "venv" / "bin" / "label-studio", folder / "venv" / "installed"
    if not done.exists():
        venv.create(folder / "venv", clear=True, with_pip=True)
        pip = [folder / "venv" / "bin" / "python", "-m", "pip", "install", "--no-cache-dir", "--quiet"]
        subprocess.run([*pip, PACKAGE], check=True, capture_output=True)
        done.touch()
    return program


@contextmanager
def label_studio(folder: Path, data: Path) -> Iterator[str]:
    """A server on this machine alone; its address.

    Args:
        folder: where it is installed, and where an empty data base is kept.
        data: an empty folder for what it stores.
    """
    empty = folder / "empty"
    if not (empty / "made").exists():
        shutil.rmtree(empty, ignore_errors=True)
        with _server(folder, empty, _FIRST_START):
            pass
        (empty / "made").touch()
    shutil.copytree(empty, data, dirs_exist_ok=True)
    user = ["--username", USER, "--password", PASSWORD, "--user-token", LEGACY_TOKEN]
    with _server(folder, data, _START, *user, "--enable-legacy-api-token") as address:
        yield address


@contextmanager
def _server(folder: Path, data: Path, seconds: float, *options: str) -> Iterator[str]:
    data.mkdir(parents=True, exist_ok=True)
    (port,) = free_ports(1)
    environment = os.environ | {
        "HOME": str(data),
        "LABEL_STUDIO_BASE_DATA_DIR": str(data),
        # As docs/integrations.md says: backends on this machine are refused else.
        "USE_DEFAULT_BANNED_SUBNETS": "false",
        "COLLECT_ANALYTICS": "false",
        "LATEST_VERSION_CHECK": "false",
        "SENTRY_DSN": "",
        "FRONTEND_SENTRY_DSN": "",
    }
    place = ["--data-dir", str(data), "--internal-host", "127.0.0.1", "--port", str(port)]
    command = [str(installed(folder)), "start", "--no-browser", *place, *options]
    with (
        (data / "log.txt").open("w") as log,
        _ending(
            subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
        ) as process,
    ):
        address = f"http://127.0.0.1:{port}"
        until = time.monotonic() + seconds
        while not _is_up(f"{address}/health"):
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"Label Studio did not start:\n{(data / 'log.txt').read_text()[-3000:]}")
            time.sleep(0.2)
        yield address


@contextmanager
def ultrasam_serve(label_studio: str, key: str) -> Iterator[str]:
    """``ultrasam serve`` with the small model, for a Label Studio; the address that it prints for that."""
    command = [sys.executable, "-m", "ultrasam", "serve", "--port", "0", "--label-studio", label_studio]
    environment = os.environ | {"ULTRASAM_TOKEN": TOKEN, "LABEL_STUDIO_API_KEY": key}
    started = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    with _ending(started) as process:
        assert process.stdout is not None
        address = process.stdout.readline().split()[-1]
        while not _is_up(address.removesuffix("/label-studio") + "/health"):
            assert process.poll() is None
            time.sleep(0.05)
        yield address


@contextmanager
def _ending(process: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    """A process that ends with the block, and all that it has started."""
    try:
        yield process
    finally:
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(process.pid, number)
                process.wait(10)
            except ProcessLookupError:
                break
            except subprocess.TimeoutExpired:
                continue
        if process.stdout is not None:
            process.stdout.close()


def _is_up(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
