"""A real server that is killed while somebody works, and whether all that it answered is there afterwards."""

from __future__ import annotations

import json
import random
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import httpx

from tests.kit.annotating import make_images
from tests.kit.miniature import environment
from ultrasam.annotate.session import Session
from ultrasam.predict.predictor import Predictor

IMAGES = 3


class Server:
    """``ultrasam annotate`` as people start it."""

    def __init__(self, folder: Path, *options: str) -> None:
        command = [sys.executable, "-m", "ultrasam", "annotate", str(folder), "--no-browser", *options]
        self.process = subprocess.Popen(
            command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.address, said = "", ""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            said += line
            if found := re.match(r"open (http\S+)", line):
                self.address = found[1]
                break
        assert self.address, said
        self.client = httpx.Client(base_url=self.address.split("/?")[0], timeout=30)
        assert self.client.get(self.address).status_code == 303

    def kill(self) -> None:
        """As a power cut, or the machine's memory running out."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()

    def interrupt(self) -> int:
        """As Ctrl-C."""
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(20)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code


class Work:
    """Scripted work; ``frames`` and ``states`` are what the server has answered."""

    def __init__(self, client: httpx.Client, seed: int) -> None:
        self.client, self.random = client, random.Random(seed)
        self.frames: dict[int, dict[str, Any]] = {}
        self.states: dict[int, str] = {}
        #: The frame or item whose change was sent and not answered: it may be there or not.
        self.open: int | None = None
        self.answered = 0

    def go_on(self) -> None:
        """Until the server does not answer any more."""
        try:
            while True:
                self._step()
        except httpx.HTTPError:
            return

    def _step(self) -> None:
        item = self.random.randrange(IMAGES)
        if item not in self.frames:
            self.frames[item] = self.client.get(f"/api/items/{item}/frames/0").json()
        frame = self.frames[item]
        choice = self.random.random()
        self.open = item
        if choice < 0.1:
            state = self.random.choice(["todo", "accepted", "skipped"])
            answer = self.client.post(f"/api/items/{item}/state", json={"state": state})
            self.states[item] = answer.json()["item"]["state"]
        else:
            edit = self._edit(frame, choice)
            body = {"base": frame["revision"], "edit": edit}
            answer = self.client.post(f"/api/items/{item}/frames/0/edits", json=body)
            assert answer.status_code == 200, (edit, answer.text)
            self.frames[item] = answer.json()["frame"]
        self.open = None
        self.answered += 1
        if self.random.random() < 0.15:
            self.client.post("/api/save", json={})

    def _edit(self, frame: dict[str, Any], choice: float) -> dict[str, Any]:
        if choice < 0.3 and frame["can_undo"]:
            return {"kind": "undo"}
        if choice < 0.4 and frame["can_redo"]:
            return {"kind": "redo"}
        place = [self.random.uniform(0, 200), self.random.uniform(0, 120)]
        brush = {"kind": "brush", "class": 0, "points": [place], "radius": 9, "erase": False}
        if choice < 0.7 or not frame["objects"]:
            return {**brush, "object": None}
        return {**brush, "object": self.random.choice(frame["objects"])["id"]}


def killed_at(folder: Path, seed: int, weights: Path, predictor: Predictor) -> int:
    """Work, kill at a random moment, start again; how many changes were answered.

    Raises:
        AssertionError: something that was answered is not there, or the file is broken.
    """
    make_images(folder, IMAGES)
    server = Server(folder, "--classes", "cyst", "--checkpoint", str(weights))
    work = Work(server.client, seed)
    worker = threading.Thread(target=work.go_on)
    worker.start()
    chance = random.Random(seed)
    wanted, end = chance.randrange(8, 40), time.monotonic() + 20
    while work.answered < wanted and worker.is_alive() and time.monotonic() < end:
        time.sleep(0.001)
    # Anywhere within the next requests.
    time.sleep(chance.uniform(0, 0.05))
    server.kill()
    worker.join()
    labels = folder / "labels.json"
    if labels.exists():
        json.loads(labels.read_text())
    with Session([folder], model=predictor) as session:
        assert session.store.conflict is None and session.store.notices == []
        for item, expected in work.frames.items():
            found = session.frame(item)
            newer = found["revision"] - expected["revision"]
            assert newer == 0 or (newer == 1 and work.open == item), (item, newer)
            assert newer or found == expected
        for item, state in work.states.items():
            assert work.open == item or session.describe_item(item)["state"] == state
    content = json.loads(labels.read_text())
    assert len(content["images"]) == IMAGES
    return work.answered
