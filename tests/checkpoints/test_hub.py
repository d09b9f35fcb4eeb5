"""Models in folders of the Hugging Face Hub, as its own library writes and reads them; nothing is sent."""

from __future__ import annotations

import shutil

import pytest
import torch

from tests.kit.models import tiny
from ultrasam import checkpoints
from ultrasam.errors import CheckpointError
from ultrasam.types import ModelUsage

pytest.importorskip("huggingface_hub", reason="huggingface_hub (extra 'hub') is not installed")


@pytest.fixture
def folder(tmp_path):
    from ultrasam.checkpoints.hub import HubModel

    model = tiny()
    model.usage = ModelUsage(closer=True)
    said = {"license": "cc-by-4.0", "title": "Thyroid", "repo": "lab/thyroid", "datasets": ["lab/scans"]}
    HubModel(model).save_pretrained(tmp_path / "saved", model_card_kwargs=said)
    return model, tmp_path / "saved"


def _same(first, second):
    ours, theirs = first.state_dict(), second.state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_there_and_back(folder):
    from ultrasam.checkpoints.hub import HubModel

    model, saved = folder
    back = HubModel.from_pretrained(saved).model
    _same(model, back)
    assert back.usage == ModelUsage(closer=True)
    _same(model, checkpoints.load(saved))


def test_the_card_is_what_the_hub_reads(folder):
    from huggingface_hub import ModelCard

    card = ModelCard.load(folder[1] / "README.md")
    data = card.data.to_dict()
    assert data["license"] == "cc-by-4.0"
    assert data["pipeline_tag"] == "mask-generation"
    assert data["library_name"] == "ultrasam"
    assert data["datasets"] == ["lab/scans"]
    assert "# Thyroid" in card.text
    assert "hf://lab/thyroid" in card.text


def test_by_its_address(folder, tmp_path, monkeypatch):
    """As it lies in the Hub's cache once it was fetched; the network is off."""
    model, saved = folder
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    kept = tmp_path / "cache/models--lab--thyroid"
    revision = "0123456789abcdef0123456789abcdef01234567"
    shutil.copytree(saved, kept / "snapshots" / revision)
    (kept / "refs").mkdir()
    (kept / "refs/main").write_text(revision)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    _same(model, checkpoints.load("hf://lab/thyroid"))
    _same(model, checkpoints.load(f"hf://lab/thyroid@{revision}"))
    with pytest.raises(CheckpointError, match="hf://lab/other"):
        checkpoints.load("hf://lab/other")


@pytest.mark.parametrize("name", ["hf://", "hf://a/b/c", "hf://lab/thyroid@"])
def test_addresses_that_name_nothing(name, tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(CheckpointError, match="hf://"):
        checkpoints.load(name)
