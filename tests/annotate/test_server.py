"""Real servers: killed, interrupted, and left by a page in the middle of its work."""

from __future__ import annotations

import json
import time

import httpx
import numpy as np
import pytest

from tests.kit.annotating import EDITS, make_clip

pytest.importorskip("fastapi", reason="fastapi (extra 'annotate') is not installed")

from tests.kit.killing import Server, killed_at


def test_a_killed_server_has_lost_nothing(tmp_path, tiny_weights, predictor):
    """Once here; ``tests/long/annotate_kills.py`` kills twenty."""
    assert killed_at(tmp_path / "images", 3, tiny_weights, predictor) >= 8


def test_an_interrupted_server_writes_and_a_closed_page_ends_its_work(tmp_path, tiny_weights):
    (mask, *_) = make_clip(tmp_path / "clip.avi", 60)
    server = Server(tmp_path / "clip.avi", "--checkpoint", str(tiny_weights))
    client = server.client
    assert "set-cookie" not in client.get("/api/session").headers
    y, x = np.argwhere(mask).mean(axis=0)
    draw = {**EDITS[7], "class": 0, "points": [[x, y]], "radius": 12}
    client.post("/api/items/0/frames/0/edits", json={"base": 0, "edit": draw}).raise_for_status()
    with client.stream("POST", "/api/items/0/propagate", json={"from": 0}) as answer:
        lines = (line for line in answer.iter_lines() if line)
        for _ in range(3):
            told = json.loads(next(lines)[6:])
    assert told["done"] == 2
    # The work has ended, so that other work can begin, and the clip was not gone through.
    end = time.monotonic() + 10
    while time.monotonic() < end:
        again = client.post("/api/items/0/propagate", json={"from": 0, "to": 1})
        if again.status_code == 200:
            break
    assert again.status_code == 200
    done = client.get("/api/items/0").json()["item"]["labelled_frames"]
    assert 2 in done and len(done) < 50
    assert server.interrupt() == 0
    assert [i["frame"] for i in json.loads((tmp_path / "labels.json").read_text())["images"]] == done
    with pytest.raises(httpx.HTTPError):
        client.get("/api/session")
