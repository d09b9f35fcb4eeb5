"""Files that are no weights, or odd ones: said to be what they are, within a moment, and never run."""

import gzip
import io
import json
import os
import pickle
import struct
import tarfile
import time
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save as to_safetensors

import ultrasam
from tests.kit.hostile import FORMATS, Bomb, raw, torch_legacy, torch_zip
from ultrasam import checkpoints
from ultrasam.checkpoints.reading import read_objects
from ultrasam.errors import CheckpointError


def _zipped(**members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "/"), content)
    return file.getvalue()


def _picture(kind):
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, kind)
    return file.getvalue()


def _array(**arrays):
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def _tar():
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("w.pth"))
    return file.getvalue()


# content -> what the user is told
OTHERS = {
    "LFS pointer": (b"version https://git-lfs.github.com/spec/v1\noid sha256:a\nsize 3\n", "git lfs pull"),
    "page": (b"<!DOCTYPE html><html><title>Virus scan warning</title></html>", "a web page"),
    "page with a blank line": (b"\r\n  <HTML lang='en'>" + b"x" * 9000, "a web page"),
    "XML error": (b"<?xml version='1.0'?><Error><Code>NoSuchKey</Code></Error>", "a web page"),
    "ONNX": (b"\x08\x07\x12\x07pytorch\x1a\x052.1.0", "an ONNX graph"),
    "Keras": (b"\x89HDF\r\n\x1a\n" + bytes(90), "an HDF5 file"),
    "Keras 3": (_zipped(**{"config.json": "{}", "model.weights.h5": "x"}), "a Keras model"),
    "gzip": (gzip.compress(b"PK\x03\x04"), r"compressed \(gzip\); unpack it"),
    "tar": (_tar(), "a tar archive; unpack it"),
    "zip of weights": (_zipped(**{"weights__w.pth": b"x", "LICENSE": "y"}), "a zip archive of weights/w.pth"),
    "empty zip": (_zipped(), "an empty zip archive"),
    "NumPy": (_array(a=np.ones(3)), r"an archive of NumPy arrays \(a.npy\)"),
    "PNG": (_picture("png"), "an image"),
    "JPEG": (_picture("jpeg"), "an image"),
    "TIFF": (_picture("tiff"), "an image"),
    "DICOM": (bytes(128) + b"DICM", "an image"),
    "GGUF": (b"GGUF\x03\0\0\0", "a GGUF file"),
    "JSON": (json.dumps({"message": "Not found"}).encode(), "JSON and no weights"),
    "long JSON": (json.dumps([{"number": n} for n in range(900)]).encode(), "JSON and no weights"),
    "text": (b"Please log in  first.\n", "a text and no weights; it begins 'Please log in first.'"),
    "zeros": (bytes(9000), "broke off"),
    "noise": (bytes(range(200, 255)) * 40, "no weight file of a known format"),
    "empty": (b"", "is empty"),
    "pickle": (pickle.dumps({"a": 1}), "pickled Python that PyTorch did not write"),
    "old pickle": (pickle.dumps({"a": 1}, protocol=0), "pickled Python"),
    "safetensors without tensors": (to_safetensors({}), "holds no weights"),
    "half a safetensors": (to_safetensors({"a": torch.ones(9)})[:-20], "not a readable weight file"),
}


@pytest.mark.parametrize("name", ["w.pth", "w.safetensors"])
@pytest.mark.parametrize("kind", sorted(OTHERS))
def test_files_are_called_what_they_are(tmp_path, kind, name):
    content, told = OTHERS[kind]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CheckpointError, match=told) as error:
        checkpoints.read(tmp_path / name)
    text = str(error.value)
    assert str(tmp_path / name) in text and "weights_only" not in text and len(text.splitlines()) == 1


def test_a_program_of_torchscript_is_refused(tmp_path):
    torch.jit.script(torch.nn.Linear(2, 2)).save(tmp_path / "w.pth")
    with pytest.raises(CheckpointError, match="a TorchScript program"):
        checkpoints.read(tmp_path / "w.pth")


def test_the_name_of_a_file_does_not_matter(tiny_model, tmp_path):
    state = {name: value.clone() for name, value in tiny_model.state_dict().items()}
    (tmp_path / "w.pth").write_bytes(to_safetensors(state))
    torch.save(state, tmp_path / "w.safetensors")
    torch.save(state, tmp_path / "w.ckpt", _use_new_zipfile_serialization=False)
    for name in ("w.pth", "w.safetensors", "w.ckpt"):
        found = ultrasam.load(tmp_path / name).state_dict()
        assert all(torch.equal(found[key], value) for key, value in state.items()), name


def test_every_flipped_bit_of_an_archive_is_noticed(tiny_model, tmp_path):
    """PyTorch does not compare the archive's sums; a damaged model would only be somewhat worse."""
    path = torch_zip(tmp_path / "w.pth", dict(tiny_model.state_dict()))
    whole = path.read_bytes()
    random = np.random.default_rng(0)
    with zipfile.ZipFile(path) as archive:
        largest = max(archive.infolist(), key=lambda member: member.file_size)
    for place in largest.header_offset + 1000 + random.integers(0, largest.file_size - 1000, 4):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << int(random.integers(8))
        path.write_bytes(damaged)
        with pytest.raises(CheckpointError, match="damaged"):
            checkpoints.read(path)
    for share in (0.1, 0.5, 0.99):
        path.write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(CheckpointError, match="damaged"):
            checkpoints.read(path)


def test_archives_without_sums_are_read(tmp_path):
    torch.serialization.set_crc32_options(False)
    try:
        torch_zip(tmp_path / "w.pth", {"a": torch.arange(5.0)})
    finally:
        torch.serialization.set_crc32_options(True)
    assert checkpoints.read(tmp_path / "w.pth")["a"].tolist() == [0, 1, 2, 3, 4]


def test_archives_that_unpack_to_more(tmp_path):
    path = torch_zip(tmp_path / "w.pth", {"a": torch.zeros(100_000)})
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(tmp_path / "bomb.pth", "w") as bomb:
        for member in archive.infolist():
            bomb.writestr(member.filename, archive.read(member), zipfile.ZIP_DEFLATED)
    with pytest.raises(CheckpointError, match="unpacks to more|compressed"):
        checkpoints.read(tmp_path / "bomb.pth")


QKV = "image_encoder.blocks.0.attn.qkv.weight"
PATCH, POSITION = "image_encoder.patch_embed.proj.weight", "image_encoder.pos_embed"
TABLE = "image_encoder.blocks.0.attn.rel_pos_h"


def _quantized(value):
    return torch.quantize_per_tensor(value.float(), 0.1, 0, torch.qint8)


def _within_itself(state):
    state["model"] = state
    return state


def _twins():
    first, second = {}, {}
    first["model"], second["state_dict"] = second, first
    return first


# change of a state dict -> what the user is told
ODD = {
    "sparse": (lambda s: s | {QKV: s[QKV].to_sparse()}, "quantized, sparse"),
    "sparse rows": (lambda s: s | {QKV: s[QKV].to_sparse_csr()}, "quantized, sparse"),
    "quantized": (lambda s: s | {QKV: _quantized(s[QKV])}, "quantized"),
    "without numbers": (lambda s: s | {QKV: s[QKV].to("meta")}, "device 'meta'"),
    "complex": (lambda s: s | {QKV: s[QKV].to(torch.complex64)}, "complex64"),
    "8-bit floats": (lambda s: s | {QKV: s[QKV].to(torch.float8_e4m3fn)}, "float8_e4m3fn"),
    "whole numbers": (lambda s: s | {QKV: s[QKV].to(torch.int8)}, "whole numbers .*quantized"),
    "all of them whole": (lambda s: {k: v.long() for k, v in s.items()}, "whole numbers"),
    "numbers for names": (lambda s: dict(enumerate(s.values())), "called 0, which is no name"),
    "a number among names": (lambda s: s | {3: torch.ones(1)}, "called 3"),
    "a scalar": (lambda s: s | {POSITION: torch.tensor(1.0)}, r"pos_embed is \(\), where"),
    "a vector for patches": (lambda s: s | {PATCH: torch.ones(9)}, r"proj.weight is \(9,\), where"),
    "heads of no width": (lambda s: s | {TABLE: torch.ones(15, 0)}, r"rel_pos_h is \(15, 0\)"),
    "heads that do not divide": (lambda s: s | {TABLE: torch.ones(15, 7)}, "heads of 7"),
    "no blocks": (lambda s: {k: v for k, v in s.items() if "blocks" not in k}, "no 'image_encoder.blocks.0"),
    "a gap in the blocks": (
        lambda s: {k.replace("blocks.1.", "blocks.9."): v for k, v in s.items()},
        "block 1",
    ),
    "a block of 99999": (lambda s: s | {TABLE.replace(".0.", ".99999."): torch.ones(15, 16)}, "block"),
    "a huge width": (
        lambda s: s | {PATCH: torch.ones(1, 1, 1, 1).expand(10**6, 3, 16, 16)},
        "fewer numbers",
    ),
    "a wide file": (lambda s: s | {PATCH: torch.ones(10**5, 3, 2, 2)}, "where an image encoder has"),
    "another pass": (lambda s: s | {QKV: torch.ones(5, 48)}, r"qkv.weight is \(5, 48\)"),
    "NaN": (lambda s: s | {QKV: torch.full_like(s[QKV], float("nan"))}, "NaN or infinity"),
    "infinity": (lambda s: s | {QKV: torch.full_like(s[QKV], float("inf"))}, "NaN or infinity"),
    "within itself": (_within_itself, "lies within itself"),
    "two within each other": (lambda s: _twins(), "lies within itself"),
    "deep": (lambda s: {"model": {"model": {"model": {"x": 3}}}}, "no tensors"),
    "a set": (lambda s: {"a", "b"}, "no tensors"),
    "low rank that does not fit": (
        lambda s: (
            s
            | {
                QKV.replace("weight", "lora_scale"): torch.ones(()),
                QKV.replace("weight", "lora_up.0"): torch.ones(3),
            }
        ),
        "low-rank updates",
    ),
}


@pytest.mark.parametrize("kind", sorted(ODD))
def test_odd_weights_end_in_one_error_at_once(tiny_model, tmp_path, kind):
    change, told = ODD[kind]
    state = {name: value.clone() for name, value in tiny_model.state_dict().items()}
    path = torch_zip(tmp_path / "w.pth", change(state))
    begun = time.monotonic()
    with pytest.raises(CheckpointError, match=told) as error:
        ultrasam.load(path)
    assert str(path) in str(error.value) and time.monotonic() - begun < 5
    if kind not in ("NaN", "infinity"):
        with pytest.raises(CheckpointError):
            ultrasam.load(path, strict=False, img_size=128)
        with pytest.raises(CheckpointError):
            ultrasam.load_encoder(path)


def test_odd_weights_under_the_published_names(tiny_model):
    state = checkpoints.to_published(tiny_model.state_dict())
    table = "prompt_encoder.label_encoder.label_embedding.weight"
    bias = next(name for name in state if name.endswith("in_proj_bias"))
    for name, value, told in (
        (table, torch.ones(5, 256), "11 rows"),
        (table, torch.tensor(1.0), "11 rows"),
        (bias, torch.ones(7), "three vectors"),
        (bias, torch.tensor(1.0), "three vectors"),
    ):
        with pytest.raises(CheckpointError, match=told):
            checkpoints.named_as_sam(state | {name: value})


PLACES = {
    "alone": lambda bomb, state: bomb,
    "in a container": lambda bomb, state: {"state_dict": {**state, "x": bomb}},
    "in the optimizer": lambda bomb, state: {"state_dict": state, "optimizer": {"state": {0: bomb}}},
    "in the log": lambda bomb, state: {"model": state, "message_hub": {"log_scalars": {"loss": bomb}}},
    "in the notes": lambda bomb, state: {"state_dict": state, "meta": {"cfg": [bomb]}},
    "for a key": lambda bomb, state: {**state, (1, bomb): 3},
}


@pytest.mark.parametrize("place", sorted(PLACES))
@pytest.mark.parametrize("kind", sorted(FORMATS))
def test_nothing_in_a_file_is_run(tmp_path, kind, place):
    """Every format, protocol and place, under every name that a weight file has."""
    trace = tmp_path / "ran"
    content = PLACES[place](Bomb(trace), {"a": torch.ones(2)})
    for protocol in range(6) if kind in ("raw", "zip", "legacy", "tar") else (2,):
        for name in ("w.pth", "w.safetensors", "hf/pytorch_model.bin", "hf2/model.safetensors"):
            path = tmp_path / name
            path.parent.mkdir(exist_ok=True)
            try:
                FORMATS[kind](path, content, protocol)
            except pickle.PicklingError:
                continue
            for given in {path, path.parent if "/" in name else path}:
                with pytest.raises(CheckpointError, match=r"run code|damaged|archive|array") as error:
                    checkpoints.read(given)
                assert "weights_only" not in str(error.value)
            with pytest.raises(CheckpointError):
                read_objects(path)
    assert not trace.exists()


def test_the_bomb_is_one(tmp_path):
    """Unpickled freely it goes off, so what is asserted above is not empty."""
    trace = tmp_path / "ran"
    pickle.loads(raw(tmp_path / "w.pth", Bomb(trace)).read_bytes())
    assert trace.exists()
    trace.unlink()
    torch.load(torch_zip(tmp_path / "z.pth", {"a": Bomb(trace)}), weights_only=False)
    assert trace.exists()
    trace.unlink()
    torch.load(torch_legacy(tmp_path / "l.pth", {"a": Bomb(trace)}), weights_only=False)
    assert trace.exists()


def test_headers_of_safetensors_that_lie(tmp_path):
    def file(header, data=b"", size=None):
        text = json.dumps(header).encode() if isinstance(header, dict) else header
        return struct.pack("<Q", len(text) if size is None else size) + text + data

    whole = {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}
    for number, content in enumerate(
        (
            file({"a": whole}, b"x" * 8),
            file({"a": {**whole, "data_offsets": [8, 24]}}, b"x" * 16),
            file({"a": {**whole, "shape": [2**62]}}, b"x" * 16),
            file({"a": whole}, b"x" * 16, size=2**40),
            file(b"{'a': 1}" * 9),
            file({"a": {**whole, "dtype": "C64"}}, b"x" * 16),
        )
    ):
        path = tmp_path / f"{number}.safetensors"
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match=path.name):
            ultrasam.load(path)


def test_files_that_cannot_be_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.pth")
    (tmp_path / "loop.pth").symlink_to(tmp_path / "loop.pth")
    for name in ("pipe.pth", "loop.pth", "none.pth"):
        with pytest.raises(CheckpointError, match="no weight file at"):
            ultrasam.load(tmp_path / name)
    with pytest.raises(CheckpointError, match="cannot be read"):
        read_objects(tmp_path / "none.pth")
