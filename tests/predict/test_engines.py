"""Predictions in onnxruntime beside those of PyTorch; what happens where one of them is missing."""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys

import cv2
import numpy as np
import pytest
import torch
from torch.nn import functional as F

from tests.kit.models import TINY, tiny
from ultrasam import ObjectPrompt, Predictor, Refinement, checkpoints
from ultrasam.checkpoints.places import OWN_FILE
from ultrasam.errors import CheckpointError, UltraSamError
from ultrasam.export.predictor_files import to_predictor
from ultrasam.phantom import simulate
from ultrasam.predict import engine_choice, graph_files, masks
from ultrasam.predict.automatic import Everything, find_everything
from ultrasam.types import ModelUsage

ENDINGS = ("safetensors", "encoder.onnx", "decoder.onnx", "onnx.json", "heads.onnx", "heads.safetensors")
BESIDE = [OWN_FILE.with_suffix(f".{name}") for name in ENDINGS]
#: A pixel may be on the other side where its logit is that close to zero.
UNSURE = 1e-3
IMAGES = [simulate(3, number, size=size, color=True).image for number, size in ((1, 160), (2, 200))]
OBJECTS = [
    ObjectPrompt(box=[20, 25, 110, 100]),
    ObjectPrompt([[60.5, 70.5]]),
    ObjectPrompt([[60.5, 70.5], [90.5, 100.5], [10.5, 10.5]], [1, 1, 0]),
    ObjectPrompt([[60.5, 70.5]], [1], box=[20, 25, 110, 100]),
    ObjectPrompt([[30, 30]], image=1),
    ObjectPrompt(box=[40, 40, 150, 160], image=1),
]
SETTINGS = {
    "closer": {},
    "whole": {"closer": False},
    "refined": {"refinement": Refinement(2)},
    "published": {"refinement": Refinement(1, box_after_point=True), "size_rule": "truncate"},
}


@pytest.fixture(scope="module")
def engines():
    return {name: Predictor(engine=name, device="cpu").engine for name in ("torch", "onnx")}


def assert_same_answers(found, expected):
    """Every mask but for pixels whose logit is hardly one side of zero, every score to rounding."""
    assert np.abs(found.scores - expected.scores).max() < 1e-4
    for ours, theirs, source in zip(found.masks, expected.masks, expected.sources, strict=True):
        differs = ours != theirs
        if differs.any():
            geometry, (x, y) = source.crop.geometry, source.crop.corner
            logits = masks.upsample(source.logits[None], geometry)[0]
            rows, columns = np.nonzero(differs)
            assert np.abs(logits[rows - y, columns - x]).max() < UNSURE


@pytest.mark.parametrize("multimask", [False, True])
@pytest.mark.parametrize("name", SETTINGS)
def test_masks_are_those_of_torch(engines, name, multimask):
    both = {}
    for engine in ("torch", "onnx"):
        encoded = Predictor(engines[engine], **SETTINGS[name]).encode_batch(IMAGES)
        first = encoded.segment_batch(OBJECTS, multimask=multimask)
        mask = both["torch"][0][0].logits[0] if both else first[0].logits[0]
        again = [ObjectPrompt(mask=mask), ObjectPrompt([[50.5, 50.5]], mask=mask)]
        both[engine] = [*zip(first), *zip(encoded.segment_batch(again, multimask=multimask))]
    assert sum(len(answers[0]) for answers in both["onnx"]) == len(OBJECTS) + 2
    for (found,), (expected,) in zip(both["onnx"], both["torch"], strict=True):
        if len(expected):
            assert expected.masks.any() and not expected.masks.all()
            assert_same_answers(found, expected)


@pytest.mark.parametrize(
    "wanted", [Everything(grid=True, points_per_side=4, min_iou=0.3), Everything(min_score=0.1)]
)
def test_everything_is_found_as_by_torch(engines, wanted):
    expected, found = (
        find_everything(Predictor(engines[name]).encode(IMAGES[0]), wanted) for name in ("torch", "onnx")
    )
    assert len(expected)
    assert_same_answers(found, expected)


def test_embeddings_on_disk_belong_to_one_engine(engines, tmp_path):
    plain = Predictor(engines["onnx"]).encode(IMAGES[0]).features
    for _ in range(2):
        assert np.array_equal(Predictor(engines["onnx"], cache=tmp_path).encode(IMAGES[0]).features, plain)
    assert len(list(tmp_path.glob("*/*"))) == 1
    Predictor(engines["torch"], cache=tmp_path).encode(IMAGES[0])
    assert len(list(tmp_path.glob("*/*"))) == 2


@pytest.mark.parametrize("half", [False, True])
def test_any_model_can_be_written(tmp_path, half):
    """A square of another size, other windows; weights in float32 and float16."""
    model = tiny(3)
    model.usage = ModelUsage(closer=half)
    graphs = to_predictor(model, tmp_path, "own", half=half)
    both = [Predictor(graphs.weights, engine=name) for name in ("torch", "onnx")]
    assert both[1].engine.img_size == TINY.img_size and both[0].closer == both[1].closer == half
    expected, found = (p.encode(IMAGES[0]).segment(OBJECTS[:3], multimask=True) for p in both)
    scale = np.abs(expected.logits).max()
    assert expected.masks.any() and np.abs(found.logits - expected.logits).max() < 1e-4 * scale
    stored = (tmp_path / "own.safetensors").stat().st_size
    assert sum(path.stat().st_size for path in tmp_path.glob("*.onnx")) < max(stored / 4, 500_000)


def test_the_shipped_graphs_are_small_and_whole():
    kept = graph_files.read(OWN_FILE)
    kept.check()
    model = checkpoints.load()
    facts = (model.img_size, model.prompt_encoder.mask_input_size, model.usage)
    assert (kept.img_size, kept.mask_size, kept.usage) == facts
    assert Predictor(engine="onnx").device == "cpu"
    assert sum(path.stat().st_size for path in BESIDE[1:5]) < 600_000


@pytest.mark.parametrize(("cells", "pixels"), [(64, 256), (256, 600), (562, 297), (193, 894), (1, 7), (7, 1)])
def test_weights_of_interpolation_are_torchs_to_the_bit(cells, pixels):
    impulses = torch.eye(cells)[None, :, None]
    expected = F.interpolate(impulses, (1, pixels), mode="bilinear", align_corners=False)[0, :, 0].t()
    found = masks._bilinear(cells, pixels)
    if torch.backends.cpu.get_cpu_capability() == "DEFAULT":  # it rounds twice there
        assert np.abs(found - expected.double().numpy()).max() < 1e-4
    else:
        assert np.array_equal(found, expected.double().numpy())


WITHOUT_TORCH = """
import json, sys
for name in ("torch", "torchvision", "onnx", "mmengine", "mmcv", "mmdet", "segment_anything", "pooch"):
    sys.modules[name] = None
from ultrasam.cli.main import main
import ultrasam
predictor = ultrasam.Predictor()
asked = ["--box", "20,25,110,100", "--point", "60.5,70.5", "--out", "out", "--quiet"]
done = main(["predict", "scan.png", *asked])
done += main(["predict", "scan.png", "--auto", "--auto-points", "2", "--out", "auto", "--quiet"])
import ultrasam.annotate.server, ultrasam.serve.service
told = []
for ask in (
    lambda: predictor.model,
    lambda: ultrasam.Predictor(engine="torch"),
    lambda: ultrasam.Predictor("other.safetensors"),
):
    try:
        ask()
    except ultrasam.UltraSamError as error:
        told.append(str(error))
told.append(str(main(["evaluate", "small", "labels.json", "--images", ".", "--out", "report"])))
imported = [name for name in sys.modules if name.startswith("torch.")]
print(json.dumps([type(predictor.engine).__name__, done, told, imported]))
"""


def test_nothing_needs_torch_where_it_is_not_installed(engines, tmp_path):
    cv2.imwrite(str(tmp_path / "scan.png"), IMAGES[0][:, :, ::-1])
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST")}
    ended = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    engine, done, told, imported = json.loads(ended.stdout.splitlines()[-1])
    assert (engine, done, imported) == ("OnnxEngine", 0, [])
    assert "engine='torch'" in told[0] and "pip install torch" in told[1]
    assert "ultrasam export other.safetensors --for predictor" in told[2]
    assert told[3] == "2" and "torch" in ended.stderr and "Traceback" not in ended.stderr
    mask = cv2.imread(str(tmp_path / "out/masks/scan_001.png"), cv2.IMREAD_UNCHANGED) > 0
    asked = [ObjectPrompt([[60.5, 70.5]], [1], box=[20, 25, 110, 100])]
    (expected,) = Predictor(engines["torch"]).encode(IMAGES[0]).segment(asked, multimask=True).masks
    assert expected.any() and (mask != expected).mean() < 1e-4


@pytest.fixture
def beside(tmp_path):
    """The small model and its ONNX files, to be damaged."""
    for path in BESIDE:
        shutil.copy(path, tmp_path)
    return tmp_path / OWN_FILE.name


def test_what_is_missing_is_named(beside, monkeypatch):
    with pytest.raises(UltraSamError, match="engine is one of torch, onnx, auto"):
        Predictor(engine="tensorflow")
    with pytest.raises(UltraSamError, match="takes a weight file"):
        Predictor(tiny(), engine="onnx")
    with pytest.raises(UltraSamError, match="no half precision"):
        Predictor(engine="onnx", dtype=torch.bfloat16)
    with pytest.raises(UltraSamError, match="runs on cpu or cuda, not on 'mps'"):
        Predictor(engine="onnx", device="mps")
    with pytest.raises(UltraSamError, match="pip install onnxruntime-gpu"):
        Predictor(engine="onnx", device="cuda")
    beside.with_suffix(".decoder.onnx").unlink()
    with pytest.raises(CheckpointError, match=r"small.decoder.onnx is missing"):
        Predictor(beside, engine="onnx")
    with pytest.raises(CheckpointError, match="export.*--for predictor"):
        Predictor(beside.rename(beside.with_name("alone.safetensors")), engine="onnx")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(UltraSamError, match=r"pip install 'ultrasam\[export\]'"):
        Predictor(engine="onnx")


def damage(path, file):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


@pytest.mark.parametrize("name", ["safetensors", "encoder.onnx"])
def test_files_that_do_not_belong_together_are_refused(beside, name):
    damage(beside.with_suffix(f".{name}"), beside.with_suffix(f".{name}"))
    with pytest.raises(CheckpointError, match="was changed since the ONNX files"):
        Predictor(beside, engine="onnx")


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"img_size": 256, "mask_size": [64], "usage": {}, "sha256": {}}']
)
def test_a_description_of_anything_else_is_refused(beside, text):
    graph_files.description(beside).write_text(text)
    with pytest.raises(CheckpointError, match=r"onnx\.json does not describe ONNX files"):
        Predictor(beside, engine="onnx")


def test_auto_falls_back_with_one_line(beside, monkeypatch, caplog):
    monkeypatch.setattr(engine_choice, "_GPUS", ())
    assert type(Predictor(beside, engine="auto").engine).__name__ == "OnnxEngine"
    broken = beside.with_suffix(".decoder.onnx")
    broken.write_bytes(b"no graph")
    graphs = graph_files.read(beside)
    graph_files.description(beside).write_text(graphs.described())
    with pytest.raises(UltraSamError, match="can't open"):
        Predictor(beside, engine="onnx")
    with caplog.at_level(logging.WARNING):
        predictor = Predictor(beside, engine="auto")
    assert type(predictor.engine).__name__ == "TorchEngine"
    assert len(caplog.records) == 1 and "the model runs in PyTorch" in caplog.text


@pytest.mark.parametrize("what", ["gpu", "model", "weights", "onnxruntime"])
def test_auto_is_torch_where_that_is_better_or_alone(what, tmp_path, monkeypatch):
    monkeypatch.setattr(engine_choice, "_GPUS", ("/",) if what == "gpu" else ())
    if what == "onnxruntime":
        monkeypatch.setitem(sys.modules, "onnxruntime", None)
    model = None
    if what == "model":
        model = tiny()
    elif what == "weights":
        model = tmp_path / "own.safetensors"
        checkpoints.save(tiny().state_dict(), model)
    assert type(Predictor(model, engine="auto").engine).__name__ == "TorchEngine"
