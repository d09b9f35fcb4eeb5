"""The site is built as `make docs` builds it."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_it_builds_and_no_link_is_broken(tmp_path, caplog, monkeypatch):
    """Broken links and anchors are warnings, and a warning is an error."""
    pytest.importorskip("mkdocs_jupyter", reason="the extra 'docs' is not installed")
    build = pytest.importorskip("mkdocs.commands.build")
    config = pytest.importorskip("mkdocs.config").load_config
    monkeypatch.chdir(ROOT)
    loaded = config(str(ROOT / "mkdocs.yml"), site_dir=str(tmp_path), strict=True)
    with caplog.at_level(logging.WARNING, "mkdocs"):
        build.build(loaded)
    # nbconvert's template has no place for the pictures' descriptions, and complains that they are missing.
    warned = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert not [record.getMessage() for record in warned if record.name.startswith("mkdocs")]
    api = (tmp_path / "api/predict.html").read_text(encoding="utf-8")
    assert "segment-anything&#39;s names" in api or "segment-anything's names" in api
    home = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "images/annotate.png" in home
    assert (tmp_path / "images/annotate.png").is_file()
    assert '"location":"small.html' in (tmp_path / "search/search_index.json").read_text(encoding="utf-8")
