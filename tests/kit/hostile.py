"""Files that would run something when they are unpickled, in every form that weights come in."""

import io
import pickle
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import torch


class Bomb:
    """Unpickled freely, it writes the file ``trace``."""

    def __init__(self, trace):
        self.trace = str(trace)

    def __reduce__(self):
        return (_shell(), (f"touch '{self.trace}'",))


def _shell():
    import os

    return os.system


def raw(path: Path, content, protocol: int = 2) -> Path:
    path.write_bytes(pickle.dumps(content, protocol=protocol))
    return path


def torch_zip(path: Path, content, protocol: int = 2) -> Path:
    torch.save(content, path, pickle_protocol=protocol)
    return path


def torch_legacy(path: Path, content, protocol: int = 2) -> Path:
    torch.save(content, path, pickle_protocol=protocol, _use_new_zipfile_serialization=False)
    return path


def torch_tar(path: Path, content, protocol: int = 2) -> Path:
    """PyTorch's first format: a tar of three pickles."""
    with tarfile.open(path, "w") as file:
        for name in ("storages", "tensors", "pickle"):
            data = pickle.dumps(0 if name != "pickle" else content, protocol=protocol)
            member = tarfile.TarInfo(name)
            member.size = len(data)
            file.addfile(member, io.BytesIO(data))
    return path


def torch_script(path: Path, content, protocol: int = 2) -> Path:
    """A zip as `torch.jit.save` lays it out, whose constants are the pickle."""
    with zipfile.ZipFile(path, "w") as file:
        for name in ("data.pkl", "constants.pkl"):
            file.writestr(f"archive/{name}", pickle.dumps(content, protocol=protocol))
        file.writestr("archive/version", "3\n")
    return path


def numpy_file(path: Path, content, protocol: int = 2) -> Path:
    with path.open("wb") as file:
        np.save(file, np.array([content], dtype=object), allow_pickle=True)
    return path


def numpy_archive(path: Path, content, protocol: int = 2) -> Path:
    with path.open("wb") as file:
        np.savez(file, embedding=np.array([content], dtype=object))
    return path


FORMATS = {
    "raw": raw,
    "zip": torch_zip,
    "legacy": torch_legacy,
    "tar": torch_tar,
    "script": torch_script,
    "npy": numpy_file,
    "npz": numpy_archive,
}
