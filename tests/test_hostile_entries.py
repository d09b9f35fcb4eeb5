"""Every entry that takes a file of weights or of state: a file that would run something ends in one error."""

import json

import numpy as np
import pytest
import torch

import ultrasam
from tests.kit.hostile import FORMATS, Bomb, numpy_archive, raw, torch_legacy, torch_zip
from tests.kit.miniature import options
from ultrasam import checkpoints
from ultrasam.checkpoints.reading import read_objects
from ultrasam.cli.main import main
from ultrasam.data import columns
from ultrasam.downstream.features import features
from ultrasam.downstream.model import load_image_model
from ultrasam.errors import CheckpointError
from ultrasam.predict.embeddings_cache import EmbeddingsCache
from ultrasam.predict.predictor import Predictor

PROMPTS = "ultrasam/ultrasam_vit-t_phantom"
SEGMENTER = "downstream/segmentation/mask2former_vit-t_phantom"


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """Files by kind, and the file that none of them may write."""
    folder = tmp_path_factory.mktemp("hostile")
    trace = folder / "ran"
    bomb = Bomb(trace)
    state = {"image_encoder.pos_embed": torch.ones(1, 4, 4, 8), "head.description": torch.ones(3)}
    files = {
        "zip": torch_zip(folder / "zip.pth", {"state_dict": {**state, "x": bomb}, "meta": {}}),
        "legacy": torch_legacy(folder / "legacy.pth", {**state, "x": bomb}),
        "raw": raw(folder / "raw.pth", {"state_dict": bomb}, 4),
        "safetensors": raw(folder / "named.safetensors", {"state_dict": bomb}),
    }
    (folder / "hf").mkdir()
    torch_zip(folder / "hf/pytorch_model.bin", {**state, "x": bomb})
    files["folder"] = folder / "hf"
    yield files, trace
    assert not trace.exists()


FUNCTIONS = {
    "load": ultrasam.load,
    "load_encoder": ultrasam.load_encoder,
    "Predictor": Predictor,
    "read": checkpoints.read,
    "load_with_report": checkpoints.load_with_report,
    "load_image_model": load_image_model,
    "convert": lambda path: checkpoints.convert(path, path.with_name("out.pth"), "sam"),
    "read_objects": lambda path: read_objects(path / "pytorch_model.bin" if path.is_dir() else path),
}


@pytest.mark.parametrize("kind", ["zip", "legacy", "raw", "safetensors", "folder"])
@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_functions(hostile, name, kind):
    files, trace = hostile
    with pytest.raises(CheckpointError, match="run code"):
        FUNCTIONS[name](files[kind])
    assert not trace.exists()


def _data(folder):
    return folder / "annotations/test.json", folder / "images"


# what is typed, with FILE for the file, COCO and IMAGES for data
COMMANDS = {
    "weights info": "weights info FILE",
    "weights convert": "weights convert FILE OUT --to sam",
    "predict": "predict --checkpoint FILE --out OUT --box 5,5,40,40 IMAGES",
    "evaluate": "evaluate FILE COCO --images IMAGES --out OUT",
    "finetune": "finetune COCO --images IMAGES --from FILE --out OUT",
    "export": "export FILE --out OUT",
    "probe": "probe COCO COCO --images IMAGES --checkpoint FILE --out OUT",
    "classify": "classify --checkpoint FILE IMAGES",
    "test": f"test {PROMPTS} FILE --work-dir OUT",
    "segment": f"segment {SEGMENTER} FILE IMAGES --out OUT",
    "train --from": f"train {PROMPTS} --from FILE --work-dir OUT",
    "train --resume": f"train {PROMPTS} --resume FILE --work-dir OUT",
}
TRAINING = ("test", "segment", "train --from", "train --resume")


@pytest.mark.parametrize("kind", ["zip", "raw"])
@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_commands(hostile, phantom_data, tmp_path, capfd, name, kind):
    if name in TRAINING:
        pytest.importorskip("mmdet", reason="the extra 'mm' (OpenMMLab) is not installed")
    files, trace = hostile
    coco, images = _data(phantom_data)
    places = {"FILE": files[kind], "OUT": tmp_path / "out", "COCO": coco, "IMAGES": images}
    words = [str(places.get(word, word)) for word in COMMANDS[name].split()]
    if name in ("classify", "segment"):
        words = [str(next(images.iterdir())) if word == str(images) else word for word in words]
    if PROMPTS in words:
        words += options(phantom_data, 1, 2)
    assert main(words) == 2
    told = capfd.readouterr().err
    assert "run code" in told and str(files[kind]) in told and "weights_only" not in told
    assert not trace.exists()


@pytest.mark.parametrize("key", ["load_from", "model.weights.path"])
@pytest.mark.parametrize("kind", ["zip", "raw"])
def test_options_of_a_configuration(hostile, phantom_data, tmp_path, capfd, key, kind):
    pytest.importorskip("mmdet", reason="the extra 'mm' (OpenMMLab) is not installed")
    files, trace = hostile
    words = ["train", PROMPTS, "--work-dir", str(tmp_path), *options(phantom_data, 1, 2)]
    assert main([*words, f"{key}={files[kind]}"]) == 2
    assert "run code" in capfd.readouterr().err and not trace.exists()


def test_a_backbone_of_somebody_else(hostile):
    """``init_cfg`` of any module of OpenMMLab."""
    pytest.importorskip("mmdet", reason="the extra 'mm' (OpenMMLab) is not installed")
    from mmdet.registry import MODELS

    import ultrasam.mm  # noqa: F401

    files, trace = hostile
    for kind in ("zip", "raw", "legacy"):
        start = {"type": "Pretrained", "checkpoint": str(files[kind])}
        net = MODELS.build({"type": "mmdet.ResNet", "depth": 18, "init_cfg": start})
        with pytest.raises(CheckpointError, match="run code"):
            net.init_weights()
        with pytest.raises(CheckpointError, match="run code"):
            MODELS.build({"type": "ResNetBackbone", "depth": 18, "weights": {"path": str(files[kind])}})
    assert not trace.exists()


def test_caches_hold_numbers_alone(phantom_data, tmp_path, tiny_weights):
    """One that holds anything else is made anew."""
    trace = tmp_path / "ran"
    cache = EmbeddingsCache(tmp_path / "embeddings")
    key = cache.key(np.zeros((3, 3, 3), np.uint8))
    cache.put(key, torch.ones(1, 2, 3, 3))
    (path,) = (tmp_path / "embeddings").rglob("*.safetensors")
    for make in FORMATS.values():
        make(path, {"embedding": Bomb(trace)})
        assert cache.get(key) is None

    encoder = ultrasam.load_encoder(tiny_weights, output="pooled", img_size=64)
    pictures = sorted(_data(phantom_data)[1].iterdir())[:2]
    expected = features(encoder, pictures, cache=tmp_path / "features")
    (path,) = (tmp_path / "features").iterdir()
    for make in (numpy_archive, raw, torch_zip):
        make(path, {"keys": Bomb(trace), "features": Bomb(trace)})
        assert np.array_equal(features(encoder, pictures, cache=tmp_path / "features"), expected)
    with path.open("wb") as file:
        np.savez(file, keys=np.array([Bomb(trace)], object), features=np.ones((1, 2)))
    assert np.array_equal(features(encoder, pictures, cache=tmp_path / "features"), expected)
    assert not trace.exists()


def test_columns_hold_numbers_alone(phantom_data, tmp_path):
    trace = tmp_path / "ran"
    coco = tmp_path / "a.json"
    coco.write_text(_data(phantom_data)[0].read_text())
    loaded = columns.load(coco, _data(phantom_data)[1], least=0)
    expected = {name: np.array(value) for name, value in loaded.arrays.items()}
    del loaded  # it lies in the file that is overwritten
    (path,) = tmp_path.glob(".*.columns")
    whole = path.read_bytes()
    header = json.loads(whole[len(columns.MAGIC) :].split(b"\n")[0])
    objects = {**header, "arrays": {n: ["|O", *rest] for n, (_, *rest) in header["arrays"].items()}}
    changed = json.dumps(objects).encode()
    changed += b" " * (len(json.dumps(header)) - len(changed)) + b"\n"
    for content in (columns.MAGIC + changed + whole[-header["bytes"] :], None):
        if content is None:
            raw(path, {"arrays": Bomb(trace)})
        else:
            path.write_bytes(content)
        found = columns.load(coco, _data(phantom_data)[1], least=0)
        assert all(np.array_equal(found.arrays[name], value) for name, value in expected.items())
    assert not trace.exists()


def test_records_of_an_evaluation_are_text(phantom_data, tmp_path, tiny_weights, capfd):
    """Left by an earlier run, they are gone on with."""
    trace = tmp_path / "ran"
    coco, images = _data(phantom_data)
    out = tmp_path / "out"
    words = ["evaluate", str(tiny_weights), str(coco), "--images", str(images), "--out", str(out)]
    words += ["--limit", "1", "--no-baselines", "--prompts", "box", "--device", "cpu"]
    assert main(words) == 0
    first = json.loads((out / "results.json").read_text())
    for path in out.rglob("*.json*"):
        raw(path, {"records": Bomb(trace)})
    assert main(words) == 0 and not trace.exists()
    again = json.loads((out / "results.json").read_text())
    assert again["all"]["scores"] == first["all"]["scores"]
