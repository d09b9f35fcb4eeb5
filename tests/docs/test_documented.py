"""Every command and every Python block of the documents, on small stand-ins for what they name."""

from __future__ import annotations

import ast
import contextlib
import importlib
import re
import runpy
import sys
import types

import numpy as np
import pytest
import torch

from tests.kit import documented
from tests.kit.closeness import assert_same
from tests.kit.documented import ROOT, Line, blocks, commands
from ultrasam.cli.main import build_parser, main
from ultrasam.modeling.build import VARIANTS

LINES = commands("ultrasam ")
SCRIPTS = commands("tools/", "make ", "python -m ")
#: What makes a run short: one step of a network on 64 pixels.
TINY = (
    "img_size=64 train_cfg.max_iters=1 train_cfg.val_interval=9 "
    "default_hooks.checkpoint.save_optimizer=False "
    + " ".join(f"{side}_dataloader.num_workers=0" for side in ("train", "val", "test"))
).split()
#: Command -> what is added to its line so that it ends soon.
SHORT = {
    "train": ["--cfg-options", *TINY, "train_dataloader.batch_size=2"],
    "test": ["--cfg-options", *TINY],
    "segment": ["--cfg-options", "img_size=64"],
    "finetune": ["--steps", "1", "--batch-size", "1", "--img-size", "64"],
    "demo": ["--iterations", "2", "--batch-size", "2"],
    "evaluate": ["--limit", "1"],
    "export": ["--precision", "fp32"],
    "train ultrasam/ultrasam_vit-t_small_longer": [
        *("--from", "work_dirs/ultrasam_vit-t_small/iter_1.pth"),
        *("--cfg-options", *TINY, "train_dataloader.batch_size=2"),
    ],
    "data phantom": ["--num", "20", "--size", "64", "--frames", "3"],
    "probe": ["--img-size", "64"],
}
#: What hours of training would have written -> what one step wrote.
MADE = {
    "iter_8000.pth": "work_dirs/mask2former_vit-b_bus_bra/iter_1.pth",
    "iter_2000.pth": "iter_1.pth",
}
#: Lines that go on from what others made in hours, take it from the network, or wait for people: only parsed.
ONLY_PARSED = (
    "ultrasam annotate",
    "ultrasam serve",
    "ultrasam reproduce --row",
    "ultrasam reproduce --table 3",
    "ultrasam weights fetch",
    "--resume",
    "--from-dicomweb",
    "s3://",
    "--executor",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    pytest.importorskip("pydicom", reason="pydicom (extra 'dicom') is not installed")
    folder = tmp_path_factory.mktemp("documented")
    documented.fill(folder)
    return folder


@pytest.fixture(scope="module")
def full_weights(folder):
    """The whole network's, which Python hands to packages that build it."""
    documented.write_weights(folder / "full", VARIANTS["vit_b"], 1024)
    return folder / "full"


@pytest.fixture
def shallow(monkeypatch):
    """A ViT-b of two blocks: the commands are tried here, and the network at its full depth elsewhere."""
    monkeypatch.setitem(VARIANTS, "vit_b", documented.SHALLOW)


def test_the_documents_were_read():
    assert len(LINES) > 35
    assert len(SCRIPTS) > 6


@pytest.mark.parametrize("line", LINES, ids=str)
def test_commands_parse(line):
    """Options exist, and values are of the right kind."""
    words = documented.words(line.text, ROOT)
    build_parser().parse_args(words[1:])


def _as_made(word: str) -> str:
    for name, made in MADE.items():
        word = word.replace(name, made)
    return word


def _run(line: Line, folder, monkeypatch) -> None:
    words = documented.words(line.text, folder)
    words = [_as_made(word) for word in words]
    extra = SHORT.get(" ".join(words[1:3]), SHORT.get(words[1], []))
    if extra[:1] == ["--cfg-options"] and "--cfg-options" in words:
        extra = extra[1:]
        place = words.index("--cfg-options") + 1
        words[place:place] = extra
    else:
        words += extra
    # In this process: a new one would import everything anew for each line.
    monkeypatch.chdir(folder)
    monkeypatch.setenv("ULTRASAM_WEIGHTS", str(folder))
    monkeypatch.setattr(sys, "argv", words)
    code = main(words[1:])
    # A check says by its exit code that something is missing, which here is so.
    assert code == (2 if "--check" in words else 0), words


@pytest.mark.slow
@pytest.mark.parametrize("page", sorted({line.page for line in LINES}))
def test_commands_run(page, folder, shallow, monkeypatch):
    """In the order of the page: a line may take what an earlier one made."""
    for line in LINES:
        if line.page == page and not any(text in line.text for text in ONLY_PARSED):
            _run(line, folder, monkeypatch)


@pytest.mark.parametrize("line", SCRIPTS, ids=str)
def test_scripts_and_targets_are_there(line, monkeypatch, capsys):
    words = [w for w in line.text.split() if not re.fullmatch(r"[A-Z_]+=\S+", w)]
    if words[0] == "make":
        assert re.search(rf"^{words[1]}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
    elif words[0] == "python":
        tool = words[2 : 4 if words[2] == "ultrasam.mm" else 3]
        monkeypatch.setattr(sys, "argv", [*tool, "--help"])
        with pytest.raises(SystemExit) as end:
            runpy.run_module(tool[0], run_name="__main__")
        assert not end.value.code
        said = capsys.readouterr().out
        assert all(word in said for word in words if word.startswith("--"))
    else:
        assert (ROOT / words[0]).is_file()
        place = next(i for i, word in enumerate(words) if word.startswith("configs/"))
        assert (ROOT / words[place]).is_file()
        positional = 1 if "train" in words[0] else 2
        options = [w for w in words[place + positional :] if not w.isdigit()]
        build_parser().parse_args(["train", words[place], *options])


def _shortened(work):
    """Training or testing with one step of a small input."""
    tiny = {key: ast.literal_eval(value) for key, value in (pair.split("=") for pair in TINY)}

    def short(*args, cfg_options=None, **kwargs):
        return work(*args, cfg_options={**(cfg_options or {}), **tiny}, **kwargs)

    return short


@pytest.mark.slow
@pytest.mark.parametrize(
    "page",
    [p for p in documented.PAGES if blocks(p, "python") and p.name != "extending.md"],
    ids=lambda p: p.name,
)
def test_python_runs_after_a_plain_import(page, folder, full_weights, monkeypatch):
    """One after the other, with no more than ``import ultrasam``, the peers and an image before them."""
    import ultrasam

    peers = {name: pytest.importorskip(name) for name in ("segment_anything", "timm", "transformers")}
    monkeypatch.chdir(folder)
    monkeypatch.setenv("ULTRASAM_WEIGHTS", str(full_weights))
    if page.name == "training.md":
        pytest.importorskip("mmdet", reason="the extra 'mm' (OpenMMLab) is not installed")
        monkeypatch.setitem(VARIANTS, "vit_b", documented.SHALLOW)
        for name in ("train", "test"):
            module = importlib.import_module(f"ultrasam.mm.engine.{name}")
            monkeypatch.setattr(module, name, _shortened(getattr(module, name)))
    rng = np.random.default_rng(0)
    names = {
        **peers,
        "ultrasam": ultrasam,
        "torch": torch,
        # All that is used of Lightning: its module is PyTorch's.
        "lightning": types.SimpleNamespace(LightningModule=torch.nn.Module),
        "image": rng.integers(0, 256, (300, 400, 3), dtype=np.uint8),
        "num_classes": 3,
        **dict(zip(("x1", "y1", "x2", "y2"), (120, 80, 340, 260), strict=True)),
    }
    for block in blocks(page, "python"):
        with contextlib.redirect_stdout(None):
            exec(compile(block, page.name, "exec"), names)
    if page.name == "weights.md":
        _same_encoders(names)


@torch.no_grad()
def _same_encoders(names):
    """What the page gets in timm, transformers and segment-anything computes what our encoder does.

    One block of twelve tells: names, norms, position tables and windows are those of all.
    """
    ours = names["ultrasam"].load("ultrasam").image_encoder
    timms, theirs, metas = names["vit"], names["model"].vision_encoder, names["sam"].image_encoder
    assert {m.eps for m in timms.modules() if isinstance(m, torch.nn.LayerNorm)} == {1e-6}
    for encoder, blocks_are in ((ours, "blocks"), (timms, "blocks"), (theirs, "layers"), (metas, "blocks")):
        setattr(encoder.eval(), blocks_are, getattr(encoder, blocks_are)[:1])
    pixels = torch.randn(1, 3, 1024, 1024)
    expected = ours(pixels)
    assert_same(timms.forward_features(pixels), expected)
    assert_same(theirs(pixels).last_hidden_state, expected)
    assert_same(metas(pixels), expected)
