"""The annotator as a user has it: a server on a thread, and a real browser before it."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn

from ultrasam.annotate import server
from ultrasam.annotate.session import Session
from ultrasam.web import listening

TOKEN = "token-of-the-tests"
#: Where Chromium and its kin are, by the names they are installed under.
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def browser_path() -> str | None:
    """A Chromium of this machine, if there is one."""
    return next((path for path in map(shutil.which, BROWSERS) if path), None)


class Served:
    """A session behind its server, which can be stopped and started again on the same port.

    Args:
        inputs: as `Session` takes them.
        options: of `Session`.
    """

    def __init__(self, inputs: list[Path], **options: Any) -> None:
        self._inputs, self._options, self._port = inputs, options, 0
        self.start()

    def start(self) -> None:
        """A new session on the same files, as after a restart of the command."""
        self.session = Session(self._inputs, **self._options)
        listener = listening.listen("127.0.0.1", self._port)
        self._port = listener.getsockname()[1]
        app = server.guarded(self.session, TOKEN, self._port)
        config = uvicorn.Config(app, log_level="error", lifespan="off", timeout_graceful_shutdown=1)  # type: ignore[arg-type]
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([listener],))
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)

    def stop(self) -> None:
        """As Ctrl-C does."""
        self._server.should_exit = True
        self._thread.join()
        self.session.close()

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def address(self) -> str:
        """What the command prints."""
        return f"{self.origin}/?token={TOKEN}"


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser of Playwright's; skips where there is none."""
    from playwright.sync_api import sync_playwright

    path = browser_path()
    assert path is not None
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()
