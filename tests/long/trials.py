"""What is done with one damaged file of each kind, and what counts as right."""

from __future__ import annotations

import functools
import io
import random
import shutil
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save as safetensors
from ultrasam.converters.engine import archive
from ultrasam.converters.engine.errors import ConverterError

import ultrasam
from tests.kit import fuzz_coco, fuzz_files
from tests.kit.models import tiny
from tests.kit.rle import unpack
from ultrasam.data.coco import load as load_coco
from ultrasam.errors import UltraSamError
from ultrasam.predict.files import prompt_files

#: Number of the file, an empty folder -> the outcome in words; a fault is an exception.
Trial = Callable[[int, Path], str]


def coco() -> Trial:
    """All readers of COCO files: none fails in its own way, and the check agrees with the loader."""

    def trial(number: int, folder: Path) -> str:
        fuzz_coco.pictures(folder / "images")
        data = fuzz_coco.mutated(random.Random(number))
        said = fuzz_coco.read_by_all(folder, data)
        if said["check"] is None:
            # How many sides are asked for is no matter of the file.
            others = {name: text for name, text in said.items() if "too few to split" not in (text or "")}
            assert not any(others.values()), f"the check lets through what is refused: {others}"
        if said["load"] is None:
            _whole_codes(folder / "mine.json")
            return "ok"
        return "clear error"

    return trial


def _whole_codes(path: Path) -> None:
    """Every code that was used has as many pixels as its image, read one character at a time."""
    for image in load_coco(path, path.parent / "images").images:
        for annotation in image.annotations:
            code = annotation["segmentation"]
            if isinstance(code, dict) and isinstance(code["counts"], str | bytes):
                runs = unpack(code["counts"])
                assert sum(runs) == image.size[0] * image.size[1] and min(runs) >= 0, "a wrong code is used"


def prompts() -> Trial:
    """Files of prompts: boxes of a COCO file for two images of one name in two folders."""

    def trial(number: int, folder: Path) -> str:
        path = folder / "prompts.json"
        path.write_bytes(fuzz_coco.mutated(random.Random(10**6 + number)))
        try:
            found = prompt_files.by_name(
                prompt_files.from_coco(path)[0], ["us0.png", "a/us1.png", "b/us1.png"]
            )
        except (UltraSamError, ConverterError) as error:
            assert str(error)
            return "clear error"
        assert found is not None
        return "ok"

    return trial


def files(kind: str) -> Trial:
    """Images, DICOM, videos: frames, or a clear error, and no frame lost in silence."""

    def trial(number: int, folder: Path) -> str:
        end, data = fuzz_files.KINDS[kind](np.random.default_rng(number))
        path = folder / f"file{end}"
        path.write_bytes(data)
        return fuzz_files.check(path)

    return trial


def checkpoints() -> Trial:
    """Weight files, damaged in bytes or in what they hold: loaded or refused, nothing of them executed."""
    state = tiny(1, depth=1, embed_dim=16, num_heads=2, global_attn_indexes=(0,), img_size=64).state_dict()
    whole = {".safetensors": safetensors(state)}
    for end, legacy in ((".pth", False), (".pt", True)):
        file = io.BytesIO()
        torch.save(
            {"state_dict": state, "meta": {"a": [1, "b"]}}, file, _use_new_zipfile_serialization=not legacy
        )
        whole[end] = file.getvalue()

    def trial(number: int, folder: Path) -> str:
        rng = np.random.default_rng(number)
        end = list(whole)[number % len(whole)]
        path = folder / f"weights{end}"
        if rng.random() < 0.5:
            path.write_bytes(fuzz_files.mutated(rng, whole[end]))
        else:
            file = io.BytesIO()
            torch.save({"state_dict": _odd(state, rng)}, file)
            path.write_bytes(file.getvalue())
        try:
            model = ultrasam.load(path)
        except UltraSamError as error:
            assert "weights_only" not in str(error)
            return "clear error"
        assert all(value.dtype.is_floating_point for value in model.parameters())
        return "ok"

    return trial


def _odd(state: dict[str, torch.Tensor], rng: np.random.Generator) -> dict[Any, Any]:
    """A state dict with one entry that is not as it should be."""
    name = sorted(state)[rng.integers(0, len(state))]
    value = state[name]
    odd: list[Any] = [
        *(None, 7, "text", [], {}, value[..., :0], value.flatten(), value[None], value.to(torch.complex64)),
        *(
            value.to(torch.int8),
            value.to_sparse(),
            value.to("meta"),
            value.double(),
            value.bool(),
            value * torch.nan,
        ),
        torch.zeros(()),
        torch.empty((2**20, 2**20), device="meta"),
        torch.zeros(1).expand(2**16, 2**14),
        torch.quantize_per_tensor(value.float(), 0.1, 0, torch.qint8),
    ]
    changed: dict[Any, Any] = dict(state)
    how = rng.integers(0, 5)
    if how == 0:
        del changed[name]
    elif how == 1:
        changed[[3, None, b"x", ("a", 1), name * 50][rng.integers(0, 5)]] = changed.pop(name)
    elif how == 2:
        changed[name] = changed
    else:
        changed[name] = odd[rng.integers(0, len(odd))]
    return changed


@functools.cache
def _archives() -> dict[str, bytes]:
    members = {f"folder/{n}.bin": np.random.default_rng(n).bytes(400 * n) for n in range(1, 6)}
    members["folder/zeros.bin"] = bytes(5000)
    whole = {}
    for end, method in ((".zip", zipfile.ZIP_DEFLATED), (".stored.zip", zipfile.ZIP_STORED)):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", method) as written:
            for name, data in members.items():
                written.writestr(name, data)
        whole[end] = file.getvalue()
    for end, mode in ((".tar", "w"), (".tar.gz", "w:gz"), (".tar.xz", "w:xz"), (".tar.bz2", "w:bz2")):
        file = io.BytesIO()
        with tarfile.open(fileobj=file, mode=mode) as written:
            for name, data in members.items():
                entry = tarfile.TarInfo(name)
                entry.size = len(data)
                written.addfile(entry, io.BytesIO(data))
        whole[end] = file.getvalue()
    return whole


def archives() -> Trial:
    """Archives: unpacked inside their folder or refused; what a checksum covers is as it was."""
    whole = _archives()

    def trial(number: int, folder: Path) -> str:
        rng = np.random.default_rng(number)
        end = list(whole)[number % len(whole)]
        path, into = folder / f"download{end}", folder / "inside" / "into"
        path.write_bytes(fuzz_files.mutated(rng, whole[end]))
        into.mkdir(parents=True)
        try:
            archive.unpack(path, into)
        except ConverterError as error:
            assert path.name in str(error)
            outcome = "clear error"
        else:
            outcome = "ok"
            if end.endswith("zip"):
                good = {n: d for n, d in _unpacked(whole[end], end, folder / "good").items()}
                assert _files(into).items() <= good.items(), "a file differs from what was packed"
        outside = {p.name for p in folder.iterdir()} - {path.name, "inside", "good"}
        assert not outside and [p.name for p in (folder / "inside").iterdir()] == ["into"]
        return outcome

    return trial


def _unpacked(data: bytes, end: str, folder: Path) -> dict[str, bytes]:
    file = folder.with_name(f"good{end}")
    file.write_bytes(data)
    shutil.unpack_archive(file, folder)
    file.unlink()
    return _files(folder)


def _files(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


#: Kind -> makes its trial; what takes long to prepare is done once.
TRIALS: dict[str, Callable[[], Trial]] = {
    "coco": coco,
    "images": functools.partial(files, "images"),
    "dicom": functools.partial(files, "dicom"),
    "checkpoints": checkpoints,
    "archives": archives,
    "prompts": prompts,
    "videos": functools.partial(files, "videos"),
}
