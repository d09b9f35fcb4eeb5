"""``ultrasam serve`` from its line: tokens, warnings, and that it ends well."""

from __future__ import annotations

import pytest

pytest.importorskip("fastapi", reason="fastapi (extra 'annotate') is not installed")

from fastapi.testclient import TestClient

from ultrasam.cli.main import main
from ultrasam.web import listening


@pytest.fixture
def served(monkeypatch):
    """What the command would serve; it returns at once, as after Ctrl-C."""
    apps = []

    def serve(app, listener):
        listener.close()
        apps.append(app)
        raise KeyboardInterrupt

    monkeypatch.setattr(listening, "serve", serve)
    monkeypatch.delenv("ULTRASAM_TOKEN", raising=False)
    return apps


def status(app, token):
    return TestClient(app).get("/v1/status", headers={"authorization": f"Bearer {token}"}).status_code


def test_a_random_token_is_printed(served, capsys):
    assert main(["serve", "--port", "0"]) == 0
    out, err = capsys.readouterr()
    token = out.split("token: ")[1].split()[0]
    assert len(token) >= 32 and status(served[0], token) == 200 and status(served[0], token[:-1]) == 401
    assert "http://127.0.0.1:" in out and "network" not in err


def test_a_token_of_ones_own_is_not_shown_and_open_hosts_are_warned_of(served, capsys, monkeypatch):
    monkeypatch.setenv("ULTRASAM_TOKEN", "from-the-environment")
    assert main(["serve", "--port", "0", "--host", "0.0.0.0"]) == 0
    assert main(["serve", "--port", "0", "--token", "from-the-line"]) == 0
    assert status(served[0], "from-the-environment") == status(served[1], "from-the-line") == 200
    assert status(served[1], "from-the-environment") == 401
    out, err = capsys.readouterr()
    assert "from-the" not in out + err and "not encrypted" not in out and "unencrypted" in err


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--token", "short"], "8 letters"),
        (["--token", "with a space in it"], "without spaces"),
        (["--memory", "0"], "above 0"),
        (["--max-upload", "nan"], "above 0"),
        (["--label-studio", "localhost:8080"], "address"),
        (["--port", "99999"], "there is no port 99999"),
    ],
)
def test_what_is_wrong_with_the_line_is_said(served, capsys, options, text):
    assert main(["serve", "--port", "0", *options]) != 0
    assert text in capsys.readouterr().err and served == []
